# RetinaNet on traffic signs, with a backbone for small machines trained on ImageNet. The smallest
# anchors are 8 pixels, as signs are at 0.25x.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/gtsdb.py',
    '../_base_/schedules/gtsdb_12e.py',
    'mmdet::_base_/default_runtime.py',
]
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(2, 4, 7),
        init_cfg=dict(type='Pretrained', checkpoint='data/weights/mobilenet_v2_mm.pth'),
    ),
    neck=dict(in_channels=[32, 96, 1280], out_channels=64, start_level=0, num_outs=4),
    bbox_head=dict(
        num_classes=4,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        anchor_generator=dict(octave_base_scale=1, strides=[8, 16, 32, 64]),
    ),
)
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(max_keep_ckpts=1))
