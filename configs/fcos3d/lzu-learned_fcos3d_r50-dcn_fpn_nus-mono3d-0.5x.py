_base_ = ['./uniform_fcos3d_r50-dcn_fpn_nus-mono3d-0.5x.py', '../_base_/zoom/learned.py']

zoom = _base_.zoom
zoom.saliency.update(grid_shape=(27, 48))
model = dict(data_preprocessor=dict(zoom=zoom))
