# The baseline of learning to upsample: the low-resolution source, plainly enlarged.
_base_ = './lzu-fixed_retinanet_r18_fpn_mini-street-lowres-2.0x.py'

model = dict(
    data_preprocessor=dict(
        zoom=dict(saliency=dict(_delete_=True, type='lzu_mm.UniformSaliency')),
    )
)
