_base_ = ['./uniform_yolox-nano_mini-street-0.25x.py', '../_base_/zoom/adaptive.py']

model = dict(data_preprocessor=dict(zoom=_base_.zoom))
val_dataloader = _base_.frames_in_order
test_dataloader = val_dataloader
