# FOVEA's detector on whole 1920x1200 images: what the zoomed ones are compared with.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/argoverse_hd.py',
    '../_base_/schedules/fovea_3e.py',
    'mmdet::_base_/default_runtime.py',
]
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

model = dict(roi_head=dict(bbox_head=dict(num_classes=8)))
optim_wrapper = dict(optimizer=dict(lr=0.02))

# FOVEA starts from COCO weights; the classifier does not fit and starts anew.
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r50_fpn_1x_coco/'
    'faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth'
)
