# The baseline, plain downsampling: the zoom with a constant saliency. The unzoom neck then has nothing
# to do and passes its features on. The other kinds of zoom replace the saliency. PSPNet has no neck:
# the levels of the backbone are unzoomed, those that heads read.
_base_ = './pspnet_mobilenet-v2-d8_camvid.py'

data_preprocessor = dict(
    type='lzu_mm.ZoomSegDataPreProcessor',
    zoom=dict(size=(128, 128), saliency=dict(type='lzu_mm.UniformSaliency')),
)
model = dict(data_preprocessor=data_preprocessor, neck=dict(type='lzu_mm.UnzoomNeck'))
