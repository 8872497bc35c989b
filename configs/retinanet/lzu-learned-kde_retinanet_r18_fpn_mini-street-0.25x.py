_base_ = ['./uniform_retinanet_r18_fpn_mini-street-0.25x.py', '../_base_/zoom/learned-kde.py']

model = dict(data_preprocessor=dict(zoom=_base_.zoom))
optim_wrapper = dict(paramwise_cfg=_base_.learned_slowly)
val_dataloader = _base_.frames_in_order
test_dataloader = val_dataloader
