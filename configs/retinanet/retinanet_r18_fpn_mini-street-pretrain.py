# What the comparisons on mini-street start from, in place of weights that a machine without a
# network cannot download: the stock detector, trained without any zoom on crops whose sides are
# resized by 0.25 to 1, each by another ratio, so that neither plain nor zoomed images are its own.
_base_ = './retinanet_r18_fpn_mini-street.py'

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=[(240, 150), (960, 600)], keep_ratio=False),
    dict(type='RandomCrop', crop_size=(150, 240)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

randomness = dict(seed=0)
epochs = 45
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        begin=0,
        end=epochs,
        T_max=epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
