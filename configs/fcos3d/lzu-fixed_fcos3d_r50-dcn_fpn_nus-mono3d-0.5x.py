# Learning to Zoom and Unzoom with one fixed map for all images (S_D), from the training boxes:
# tools/compute_saliency.py makes the file.
_base_ = './fcos3d_r50-dcn_fpn_nus-mono3d.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDet3DDataPreprocessor',
        zoom=dict(
            scale=0.5,
            saliency=dict(
                type='lzu_mm.FixedSaliency',
                path='data/saliency/nuscenes.npz',
            ),
        ),
    ),
    neck=dict(type='lzu_mm.UnzoomNeck', inner='mmdet.FPN'),
)
