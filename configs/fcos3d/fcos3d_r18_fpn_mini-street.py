# FCOS3D small enough for two CPU cores, trained from scratch on mini-street
# (benchmarks/make_mini_street.py) in the layout of nuScenes v1.0-mini. The environment variable
# MINI_STREET moves the data elsewhere. Zoomed images are small: levels start at stride 4, and each
# takes objects half as large as in the stock head.
_base_ = 'mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py'
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

data_root = '{{$MINI_STREET:data/mini_street}}/nuscenes/'
saliency_file = '{{$MINI_STREET:data/mini_street}}/saliency/nuscenes.npz'
metainfo = dict(version='v1.0-mini')

model = dict(
    data_preprocessor=dict(std=[57.375, 57.12, 58.395]),
    backbone=dict(
        depth=18,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        init_cfg=None,
    ),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=128, start_level=0),
    bbox_head=dict(
        in_channels=128,
        feat_channels=128,
        strides=[4, 8, 16, 32, 64],
        regress_ranges=((-1, 24), (24, 48), (48, 96), (96, 192), (192, 1e8)),
        cls_branch=(128,),
        reg_branch=((128,), (128,), (128,), (128,), ()),
        dir_branch=(128,),
        attr_branch=(128,),
        dcn_on_last_conv=False,
    ),
)

train_pipeline = [
    dict(type='LoadImageFromFileMono3D'),
    dict(
        type='LoadAnnotations3D',
        with_bbox=True,
        with_label=True,
        with_attr_label=True,
        with_bbox_3d=True,
        with_label_3d=True,
        with_bbox_depth=True,
    ),
    dict(type='mmdet.Resize', scale_factor=1.0),
    dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5),
    dict(
        type='Pack3DDetInputs',
        keys=[
            'img',
            'gt_bboxes',
            'gt_bboxes_labels',
            'attr_labels',
            'gt_bboxes_3d',
            'gt_labels_3d',
            'centers_2d',
            'depths',
        ],
    ),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(data_root=data_root, metainfo=metainfo, pipeline=train_pipeline),
)
val_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, metainfo=metainfo))
test_dataloader = val_dataloader

val_evaluator = dict(data_root=data_root, ann_file=data_root + 'nuscenes_infos_val.pkl')
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=10, val_interval=5)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=4e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        begin=0,
        end=10,
        T_max=10,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5, max_keep_ckpts=1))
