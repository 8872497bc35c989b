# The baseline: the same preprocessor with a constant saliency, which is plain downsampling.
_base_ = './pspnet_r18-d8_mini-street.py'

data_preprocessor = dict(
    type='lzu_mm.ZoomSegDataPreProcessor',
    zoom=dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency')),
)
model = dict(data_preprocessor=data_preprocessor)
