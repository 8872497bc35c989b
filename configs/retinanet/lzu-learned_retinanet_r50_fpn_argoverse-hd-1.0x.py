_base_ = './lzu-learned_retinanet_r50_fpn_argoverse-hd-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(scale=1.0)))
