_base_ = ['./uniform_retinanet_r50_fpn_argoverse-hd-0.5x.py', '../_base_/zoom/fixed.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
