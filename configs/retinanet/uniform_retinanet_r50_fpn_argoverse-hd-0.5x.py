# The baseline: the same preprocessor with a constant saliency, which is plain downsampling.
_base_ = './retinanet_r50_fpn_argoverse-hd.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDetDataPreprocessor',
        zoom=dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency')),
    )
)
