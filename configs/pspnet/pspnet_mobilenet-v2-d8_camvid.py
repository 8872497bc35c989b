# PSPNet on driving scenes, with a backbone for small machines trained on ImageNet and dilated to
# stride 8. Images come whole: 480x360.
_base_ = [
    'mmseg::_base_/models/pspnet_r50-d8.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/camvid_1k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)

norm_cfg = dict(type='BN', requires_grad=True)
data_preprocessor = dict(size_divisor=8)
model = dict(
    data_preprocessor=data_preprocessor,
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        strides=(1, 2, 2, 1, 1, 1, 1),
        dilations=(1, 1, 1, 2, 2, 4, 4),
        out_indices=(1, 2, 4, 6),
        norm_cfg=norm_cfg,
        # With mmseg's names of layers: see configs/README.md. Its last convolution, which this
        # backbone lacks, is left out; the log says so.
        init_cfg=dict(type='Pretrained', checkpoint='data/weights/mobilenet_v2_mmseg.pth'),
    ),
    decode_head=dict(in_channels=320, channels=128, num_classes=11, norm_cfg=norm_cfg),
    auxiliary_head=dict(in_channels=96, channels=64, num_classes=11, norm_cfg=norm_cfg),
)
