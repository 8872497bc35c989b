_base_ = ['./uniform_retinanet_r18_fpn_mini-street-0.25x.py', '../_base_/zoom/combined.py']

zoom = _base_.zoom
zoom.saliency.members[1].path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
val_dataloader = _base_.frames_in_order
test_dataloader = val_dataloader
