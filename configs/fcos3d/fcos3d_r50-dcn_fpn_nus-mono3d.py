# LZU's nuScenes recipe: the stock FCOS3D with ResNet-50 in place of 101, SGD at 0.001, batches of 8
# on each of 2 GPUs, 12 epochs.
_base_ = 'mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py'
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

saliency_file = 'data/saliency/nuscenes.npz'

model = dict(
    backbone=dict(
        depth=50,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://detectron2/resnet50_caffe'),
    )
)

train_dataloader = dict(batch_size=8, num_workers=8)
optim_wrapper = dict(optimizer=dict(lr=0.001))
