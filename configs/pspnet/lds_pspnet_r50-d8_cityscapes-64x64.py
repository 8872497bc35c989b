# Learning to Downsample (LDS): labels are warped into the zoomed frame and logits come back at the
# end; beside the segmentation losses, the saliency learns where classes meet.
_base_ = './lzu-learned_pspnet_r50-d8_cityscapes-64x64.py'

data_preprocessor = dict(zoom=dict(labels='warped'))
model = dict(
    data_preprocessor=data_preprocessor,
    auxiliary_head=[{{_base_.model.auxiliary_head}}, dict(type='lzu_mm.SaliencyEdgeHead')],
)
