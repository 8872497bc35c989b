# The baseline, plain downsampling: the zoom with a constant saliency. The unzoom neck then has nothing
# to do and passes its features on. The other kinds of zoom replace the saliency.
_base_ = './fcos3d_r50-dcn_fpn_nus-mono3d.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDet3DDataPreprocessor',
        zoom=dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency')),
    ),
    neck=dict(type='lzu_mm.UnzoomNeck', inner='mmdet.FPN'),
)
