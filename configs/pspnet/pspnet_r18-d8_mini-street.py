# PSPNet small enough for two CPU cores, half as wide as usual, trained from scratch on mini-street
# (benchmarks/make_mini_street.py) in the layout of Cityscapes. The environment variable MINI_STREET
# moves the data elsewhere. SyncBN cannot train on a CPU.
_base_ = './pspnet_r50-d8_cityscapes.py'

data_root = '{{$MINI_STREET:data/mini_street}}/cityscapes/'
saliency_file = '{{$MINI_STREET:data/mini_street}}/saliency/cityscapes.npz'

norm_cfg = dict(type='BN', requires_grad=True)
data_preprocessor = dict(size=None, size_divisor=8)
model = dict(
    data_preprocessor=data_preprocessor,
    pretrained=None,
    backbone=dict(depth=18, stem_channels=32, base_channels=32, norm_cfg=norm_cfg),
    decode_head=dict(in_channels=256, channels=128, norm_cfg=norm_cfg),
    auxiliary_head=dict(in_channels=128, channels=64, norm_cfg=norm_cfg),
)

# Distorting the colours of whole images would take longer than a step on the zoomed ones.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8, num_workers=2, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=4, num_workers=2, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

train_cfg = dict(max_iters=500, val_interval=500)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=0, end=500, T_max=500, by_epoch=False),
]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=250, max_keep_ckpts=1, save_best='mIoU'),
)
