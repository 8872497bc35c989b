# Looks where the newest result has objects, through the equalising warp.
_base_ = ['./uniform_yolox-nano_mini-street-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.saliency = dict(type='lzu_mm.TemporalSaliency')
model = dict(
    data_preprocessor=dict(zoom=zoom),
    neck=_base_.unzoom,
    bbox_head=dict(strides=(4, 8, 16)),
)
val_dataloader = dict(batch_size=1, sampler=dict(type='lzu_mm.SequenceSampler'))
test_dataloader = val_dataloader
