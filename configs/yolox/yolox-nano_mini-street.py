# YOLOX-nano on mini-street (benchmarks/make_mini_street.py) in the layout of Argoverse-HD, from
# weights trained on COCO: what docs/streaming.md compares.
_base_ = [
    '../_base_/models/yolox_nano.py',
    '../_base_/datasets/mini_street_argoverse_hd.py',
    '../_base_/schedules/mini_street_5e.py',
    'mmdet::_base_/default_runtime.py',
]
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

# Without the 80 classes of COCO, of which the log will say so.
load_from = 'data/weights/yolox_nano_mmdet.pth'
model = dict(bbox_head=dict(num_classes=8))
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(max_keep_ckpts=1))
