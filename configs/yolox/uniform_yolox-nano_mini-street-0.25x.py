# The baseline, plain downsampling: the zoom with a constant saliency. The unzoom neck then
# has nothing to do and passes its features on. The other kinds of zoom replace the saliency.
_base_ = './yolox-nano_mini-street.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDetDataPreprocessor',
        zoom=dict(scale=0.25, saliency=dict(type='lzu_mm.UniformSaliency')),
    ),
    neck=dict(type='lzu_mm.UnzoomNeck', inner='YOLOXPAFPN'),
)
