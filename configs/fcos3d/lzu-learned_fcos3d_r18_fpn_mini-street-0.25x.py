_base_ = ['./uniform_fcos3d_r18_fpn_mini-street-0.25x.py', '../_base_/zoom/learned.py']

zoom = _base_.zoom
zoom.saliency.update(grid_shape=(27, 48))
model = dict(data_preprocessor=dict(zoom=zoom))
