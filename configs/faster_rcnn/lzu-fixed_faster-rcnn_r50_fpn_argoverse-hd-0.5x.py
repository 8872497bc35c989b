# Learning to Zoom and Unzoom with one fixed map for all images (S_D), from the training boxes:
# tools/compute_saliency.py makes the file.
_base_ = './faster-rcnn_r50_fpn_argoverse-hd.py'

model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDetDataPreprocessor',
        zoom=dict(
            scale=0.5,
            saliency=dict(
                type='lzu_mm.FixedSaliency',
                path='data/saliency/argoverse_hd.npz',
            ),
        ),
    ),
    neck=dict(type='lzu_mm.UnzoomNeck', inner='FPN'),
)
