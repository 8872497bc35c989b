_base_ = ['./lzu-learned_pspnet_r18-d8_mini-street-128x128.py', '../_base_/zoom/lds.py']

model = dict(
    data_preprocessor=dict(zoom=_base_.lds),
    auxiliary_head=[{{_base_.model.auxiliary_head}}, {{_base_.edge_head}}],
)
