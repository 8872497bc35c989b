_base_ = ['./lzu-learned_pspnet_mobilenet-v2-d8_camvid-128x128.py', '../_base_/zoom/lds.py']

model = dict(
    data_preprocessor=dict(zoom=_base_.lds),
    auxiliary_head=[{{_base_.model.auxiliary_head}}, {{_base_.edge_head}}],
)
