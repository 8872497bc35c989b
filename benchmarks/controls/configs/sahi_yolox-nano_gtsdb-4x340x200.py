# Control: SAHI with four pieces of 782x460 pixels, 0.43x, so that the network runs four times on
# 340x200. To be tested with --tta.
_base_ = '../../../configs/yolox/uniform_yolox-nano_gtsdb-0.25x.py'
custom_imports = dict(imports=['lzu_mm', 'benchmarks.controls'], allow_failed_imports=False)

model = dict(data_preprocessor=dict(zoom=dict(scale=None, size=(200, 340))))

load, annotations, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, dict(type='RandomSlice', size=(460, 782)), *rest]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

tta_model = dict(
    type='SlicedTTA', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.65), max_per_img=300)
)
load, resize, annotations, pack = _base_.test_pipeline
pack.meta_keys = (*pack.meta_keys, 'ori_crop_offset')
# Their overlap is 204 pixels by 120, about the largest sign.
boxes = [(0, 0, 782, 460), (578, 0, 1360, 460), (0, 340, 782, 800), (578, 340, 1360, 800)]
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
