"""Stock models of many families, and the one override that switches LZU on for each."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Family:
    """A family and the stock config that stands for it.

    Attributes:
        name: For the name of the test.
        library: Whose config it is.
        config: The stock config, below the library's ``configs``.
        inner: ``inner`` of the unzoom neck; 'whole' stands for the stock neck's whole config.
        size: (h, w) of the images of the test.
        labels: Which labels it is trained with besides boxes.
    """

    name: str
    library: str
    config: str
    inner: 'str | None' = 'FPN'
    size: 'tuple[int, int]' = (128, 192)
    labels: 'frozenset[str]' = field(default_factory=frozenset)

    @property
    def task(self):
        """The task in :mod:`tests.models` whose batches it takes."""
        return {'mmdet': 'retinanet', 'mmseg': 'pspnet', 'mmdet3d': 'fcos3d'}[self.library]


def _family(name, config, inner='FPN', **settings):
    library, path = config.split('::')
    if library == 'mmseg':
        settings.setdefault('size', (96, 128))
    return Family(name, library, path, inner, **settings)


MASKS = frozenset({'masks'})
PANOPTIC = frozenset({'masks', 'semantic'})
FAMILIES = [
    _family('RetinaNet', 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'),
    _family('FCOS', 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'),
    _family('ATSS', 'mmdet::atss/atss_r50_fpn_1x_coco.py'),
    _family('Faster R-CNN', 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
    _family('Cascade R-CNN', 'mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py'),
    _family('Mask R-CNN', 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', labels=MASKS),
    _family('Panoptic FPN', 'mmdet::panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py', labels=PANOPTIC),
    _family('RTMDet', 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 'CSPNeXtPAFPN'),
    _family('YOLOX', 'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', 'YOLOXPAFPN'),
    _family(
        'Deformable DETR',
        'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        'ChannelMapper',
    ),
    _family(
        'DINO', 'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py', 'ChannelMapper', size=(384, 480)
    ),
    _family('DyHead', 'mmdet::dyhead/atss_r50_fpn_dyhead_1x_coco.py', 'whole'),
    _family('PSPNet', 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py', None),
    _family(
        'DeepLabV3+',
        'mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024.py',
        None,
    ),
    _family(
        'UPerNet-Swin',
        'mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py',
        None,
    ),
    _family(
        'SegFormer', 'mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py', None
    ),
    _family('OCRNet', 'mmseg::ocrnet/ocrnet_hr18_4xb2-40k_cityscapes-512x1024.py', None),
    _family('Fast-SCNN', 'mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py', None),
    _family('BiSeNetV2', 'mmseg::bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py', None),
    _family(
        'FCOS3D',
        'mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py',
        'mmdet.FPN',
    ),
    _family('PGD', 'mmdet3d::pgd/pgd_r101-caffe_fpn_head-gn_16xb2-1x_nus-mono3d.py', 'mmdet.FPN'),
    _family(
        'SMOKE', 'mmdet3d::smoke/smoke_dla34_dlaneck_gn-all_4xb8-6x_kitti-mono3d.py', 'DLANeck'
    ),
]
