_base_ = ['./lzu-learned_pspnet_r50-d8_cityscapes-256x256.py', '../_base_/zoom/lds.py']

model = dict(
    data_preprocessor=dict(zoom=_base_.lds),
    auxiliary_head=[{{_base_.model.auxiliary_head}}, {{_base_.edge_head}}],
)
