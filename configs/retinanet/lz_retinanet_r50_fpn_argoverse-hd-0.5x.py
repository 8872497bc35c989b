_base_ = ['./lzu-learned_retinanet_r50_fpn_argoverse-hd-0.5x.py', '../_base_/zoom/lz.py']

model = dict(data_preprocessor=dict(zoom=_base_.lz))
