# YOLOX-nano on traffic signs, from weights trained on COCO. Images come whole, without mosaic,
# letterbox or colour jitter.
_base_ = [
    '../_base_/models/yolox_nano.py',
    '../_base_/datasets/gtsdb.py',
    '../_base_/schedules/gtsdb_12e.py',
    'mmdet::_base_/default_runtime.py',
]
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

# Without the 80 classes of COCO, of which the log will say so.
load_from = 'data/weights/yolox_nano_mmdet.pth'
model = dict(bbox_head=dict(num_classes=4))
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(max_keep_ckpts=1))
