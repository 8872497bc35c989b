# The baseline, plain downsampling: the same preprocessor with a constant saliency. The unzoom neck
# then has nothing to do and passes its features on.
_base_ = './lzu-fixed_pspnet_r50-d8_cityscapes-64x64.py'

data_preprocessor = dict(
    zoom=dict(saliency=dict(_delete_=True, type='lzu_mm.UniformSaliency')),
)
model = dict(data_preprocessor=data_preprocessor)
