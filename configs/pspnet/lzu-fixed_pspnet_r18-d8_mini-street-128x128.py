_base_ = ['./uniform_pspnet_r18-d8_mini-street-128x128.py', '../_base_/zoom/fixed.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
