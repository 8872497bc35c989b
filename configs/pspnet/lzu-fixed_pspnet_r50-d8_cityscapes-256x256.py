_base_ = ['./uniform_pspnet_r50-d8_cityscapes-256x256.py', '../_base_/zoom/fixed.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
