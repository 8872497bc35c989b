# The baseline: the same preprocessor with a constant saliency, which is plain downsampling.
_base_ = './pspnet_r50-d8_cityscapes.py'

data_preprocessor = dict(
    type='lzu_mm.ZoomSegDataPreProcessor',
    zoom=dict(size=(64, 64), saliency=dict(type='lzu_mm.UniformSaliency')),
)
model = dict(data_preprocessor=data_preprocessor)
