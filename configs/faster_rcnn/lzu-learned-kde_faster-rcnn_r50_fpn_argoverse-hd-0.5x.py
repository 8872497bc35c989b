_base_ = ['./uniform_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py', '../_base_/zoom/learned-kde.py']

model = dict(data_preprocessor=dict(zoom=_base_.zoom))
optim_wrapper = dict(paramwise_cfg=_base_.learned_slowly)
val_dataloader = _base_.frames_in_order
test_dataloader = val_dataloader
