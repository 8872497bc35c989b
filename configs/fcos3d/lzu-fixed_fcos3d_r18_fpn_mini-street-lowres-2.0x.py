# Learning to upsample: the source is low resolution already (the pipeline shrinks it to 0.25x, the
# camera with it), and the zoom lays it out twice as large, densest where objects are.
_base_ = './lzu-fixed_fcos3d_r18_fpn_mini-street-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(scale=2.0)))

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
    # Unlike mmdet.Resize, this one shrinks cam2img and centers_2d as well.
    dict(type='Resize3D', scale_factor=0.25),
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
test_pipeline = [
    dict(type='LoadImageFromFileMono3D'),
    dict(type='Resize3D', scale_factor=0.25),
    dict(type='Pack3DDetInputs', keys=['img']),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
