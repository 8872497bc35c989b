# RetinaNet small enough for two CPU cores, half as wide as usual, on mini-street
# (benchmarks/make_mini_street.py) in the layout of Argoverse-HD. Zoomed images are small: levels
# start at stride 4, anchors at 8 pixels.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/mini_street_argoverse_hd.py',
    '../_base_/schedules/mini_street_5e.py',
    'mmdet::_base_/default_runtime.py',
]
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        depth=18,
        stem_channels=32,
        base_channels=32,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, start_level=0, num_outs=5),
    bbox_head=dict(
        num_classes=8,
        in_channels=64,
        stacked_convs=2,
        feat_channels=64,
        anchor_generator=dict(octave_base_scale=2, strides=[4, 8, 16, 32, 64]),
    ),
)
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=1, save_best='coco/bbox_mAP')
)
