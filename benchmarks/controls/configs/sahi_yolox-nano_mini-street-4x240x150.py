# Control: SAHI with four pieces of 552x345 pixels, 0.43x, so that the network runs four times on
# 240x150. To be tested with --tta.
_base_ = '../../../configs/yolox/uniform_yolox-nano_mini-street-0.25x.py'
custom_imports = dict(imports=['lzu_mm', 'benchmarks.controls'], allow_failed_imports=False)

model = dict(data_preprocessor=dict(zoom=dict(scale=None, size=(150, 240))))

load, annotations, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, dict(type='RandomSlice', size=(345, 552)), *rest]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

tta_model = dict(
    type='SlicedTTA', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.65), max_per_img=300)
)
load, resize, annotations, pack = _base_.test_pipeline
pack.meta_keys = (*pack.meta_keys, 'ori_crop_offset')
boxes = [(0, 0, 552, 345), (408, 0, 960, 345), (0, 255, 552, 600), (408, 255, 960, 600)]
tta_pipeline = [
    load,
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='CropBox', box=box) for box in boxes],
            [resize],
            [annotations],
            [pack],
        ],
    ),
]
