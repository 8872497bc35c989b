# Adaptive saliency (S_I): looks where the previous frame of the video had objects. Validation and
# test take the frames one by one, in order, and whole videos per process.
_base_ = './lzu-fixed_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py'

model = dict(
    data_preprocessor=dict(zoom=dict(saliency=dict(_delete_=True, type='lzu_mm.TemporalSaliency')))
)
val_dataloader = dict(batch_size=1, sampler=dict(type='lzu_mm.SequenceSampler'))
test_dataloader = val_dataloader
