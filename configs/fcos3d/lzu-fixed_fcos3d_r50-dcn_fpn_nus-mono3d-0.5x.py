_base_ = ['./uniform_fcos3d_r50-dcn_fpn_nus-mono3d-0.5x.py', '../_base_/zoom/fixed.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
