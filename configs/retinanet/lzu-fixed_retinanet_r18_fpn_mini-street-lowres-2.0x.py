_base_ = ['./uniform_retinanet_r18_fpn_mini-street-lowres-2.0x.py', '../_base_/zoom/fixed.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
