# Logits come out on cells half as large.
_base_ = ['./uniform_pspnet_mobilenet-v2-d8_camvid-128x128.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom), neck=_base_.unzoom)
