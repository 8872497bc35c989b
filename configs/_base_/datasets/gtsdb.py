# The German Traffic Sign Detection Benchmark at its native 1360x800 in four classes, as
# tools/dataset_converters/gtsdb.py writes it. Frames without a sign are kept: they teach too.
dataset_type = 'CocoDataset'
data_root = 'data/gtsdb/'
saliency_file = 'data/saliency/gtsdb.npz'
# The narrow map of centres, for the equalising warp.
centres_file = 'data/saliency/gtsdb_centres.npz'
metainfo = dict(
    classes=('prohibitory', 'mandatory', 'danger', 'other'),
    palette=[(220, 20, 60), (0, 82, 200), (250, 170, 30), (0, 140, 70)],
)
backend_args = None

# configs/README.md says how to tune without the test images.
train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    # Of no effect but to note the scale factor that predictions are divided by.
    dict(type='Resize', scale_factor=1.0, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
        backend_args=backend_args,
    ),
)
# Nothing is validated while training: there is no image to spare, and the test images are looked at
# once, by tools/test.py.
val_dataloader = None
val_evaluator = None
test_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        data_root=data_root,
        ann_file='test.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args,
    ),
)
# No sign is smaller than 16 pixels; 30 of the 361 test signs are below 24 ('t').
test_evaluator = dict(
    type='lzu_mm.FineCocoMetric', ann_file=data_root + 'test.json', sizes=dict(t=(0, 24))
)
