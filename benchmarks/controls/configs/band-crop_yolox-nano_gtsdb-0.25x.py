# Control: the smallest rectangle that holds 98 % of the training signs (by their centres), resized
# to as many pixels as 340x200 have.
_base_ = '../../../configs/yolox/uniform_yolox-nano_gtsdb-0.25x.py'
custom_imports = dict(imports=['lzu_mm', 'benchmarks.controls'], allow_failed_imports=False)

# smallest_box of benchmarks/controls/crop.py: 1282x413 pixels, 0.36x.
crop = dict(type='CropBox', box=(42, 203, 1324, 616))
model = dict(data_preprocessor=dict(zoom=dict(scale=None, size=(148, 460))))

load, annotations, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, crop, *rest]
load, resize, annotations, pack = _base_.test_pipeline
pack.meta_keys = (*pack.meta_keys, 'ori_crop_offset')
test_pipeline = [load, crop, resize, annotations, pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(type='CroppedCocoMetric')
