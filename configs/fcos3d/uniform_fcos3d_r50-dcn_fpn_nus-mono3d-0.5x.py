# The baseline: the same preprocessor with a constant saliency, which is plain downsampling.
_base_ = './fcos3d_r50-dcn_fpn_nus-mono3d.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDet3DDataPreprocessor',
        zoom=dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency')),
    )
)
