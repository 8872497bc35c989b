# Learning to Zoom and Unzoom with one fixed map for all images (S_D), from the training boxes:
# tools/compute_saliency.py makes the file.
_base_ = './fcos3d_r18_fpn_mini-street.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDet3DDataPreprocessor',
        zoom=dict(
            scale=0.5,
            saliency=dict(
                type='lzu_mm.FixedSaliency',
                path='{{$MINI_STREET:data/mini_street}}/saliency/nuscenes.npz',
            ),
        ),
    ),
    neck=dict(type='lzu_mm.UnzoomNeck', inner='mmdet.FPN'),
)
