# Learning to Zoom and Unzoom with one fixed map for all images (S_D): the boundaries between
# classes in the training labels. tools/compute_saliency.py makes the file.
_base_ = './pspnet_r18-d8_mini-street.py'

data_preprocessor = dict(
    type='lzu_mm.ZoomSegDataPreProcessor',
    zoom=dict(
        scale=0.5,
        saliency=dict(
            type='lzu_mm.FixedSaliency',
            path='{{$MINI_STREET:data/mini_street}}/saliency/cityscapes.npz',
        ),
    ),
)
# PSPNet has no neck: the levels of the backbone are unzoomed, those that heads read.
model = dict(data_preprocessor=data_preprocessor, neck=dict(type='lzu_mm.UnzoomNeck'))
