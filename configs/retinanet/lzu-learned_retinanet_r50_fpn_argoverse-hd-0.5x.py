_base_ = ['./uniform_retinanet_r50_fpn_argoverse-hd-0.5x.py', '../_base_/zoom/learned.py']

model = dict(data_preprocessor=dict(zoom=_base_.zoom))
