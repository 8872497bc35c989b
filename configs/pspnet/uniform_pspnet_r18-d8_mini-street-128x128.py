# The baseline, plain downsampling: the zoom with a constant saliency. The unzoom neck then has nothing
# to do and passes its features on. The other kinds of zoom replace the saliency.
_base_ = './pspnet_r18-d8_mini-street.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomSegDataPreProcessor',
        zoom=dict(size=(128, 128), saliency=dict(type='lzu_mm.UniformSaliency')),
    ),
    # PSPNet has no neck: the levels of the backbone are unzoomed, those that heads read.
    neck=dict(type='lzu_mm.UnzoomNeck'),
)
