"""Stock models of the three libraries at a testable size, their zoomed twins, and batches."""

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData
from mmengine.utils import get_installed_path

FAMILIES = ['retinanet', 'pspnet', 'fcos3d']
STOCK = {
    'retinanet': ('mmdet', 'retinanet/retinanet_r50_fpn_1x_coco.py'),
    'pspnet': ('mmseg', 'pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'fcos3d': ('mmdet3d', 'fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py'),
}
PREPROCESSORS = {
    'retinanet': 'lzu_mm.ZoomDetDataPreprocessor',
    'pspnet': 'lzu_mm.ZoomSegDataPreProcessor',
    'fcos3d': 'lzu_mm.ZoomDet3DDataPreprocessor',
}
NECKS = {
    'retinanet': dict(type='lzu_mm.UnzoomNeck', inner='FPN'),
    'pspnet': dict(type='lzu_mm.UnzoomNeck'),
    'fcos3d': dict(type='lzu_mm.UnzoomNeck', inner='mmdet.FPN'),
}
UNIFORM = dict(type='lzu_mm.UniformSaliency')


def scoped(package):
    """Registers a library's modules, as its scripts do, and makes it the default scope."""
    __import__(f'{package}.utils', fromlist=['register_all_modules']).register_all_modules(True)


def stock_config(family, small=True):
    package, name = STOCK[family]
    scoped(package)
    path = Path(get_installed_path(package)) / '.mim' / 'configs' / name
    model = Config.fromfile(path).model
    model.backbone.pop('init_cfg', None)
    model.pop('pretrained', None)
    if family == 'pspnet':
        for part in (model.backbone, model.decode_head, model.auxiliary_head):
            part.norm_cfg = dict(type='BN')
    if small:
        _shrink(family, model)
    if 'score_thr' in model.test_cfg:
        model.test_cfg.score_thr = 0.0
    return model


def _shrink(family, model):
    if family == 'retinanet':
        model.backbone.depth = 18
        model.neck.in_channels = [64, 128, 256, 512]
        model.bbox_head.stacked_convs = 1
        model.bbox_head.num_classes = 8
    elif family == 'pspnet':
        model.data_preprocessor.size = (128, 192)
        model.backbone.depth = 18
        model.decode_head.update(in_channels=512, channels=32)
        model.auxiliary_head.update(in_channels=256, channels=16)
    else:
        model.backbone.update(depth=18, dcn=None, stage_with_dcn=(False,) * 4, style='pytorch')
        model.neck.in_channels = [64, 128, 256, 512]
        model.bbox_head.update(stacked_convs=1, dcn_on_last_conv=False)


def zoomed_config(stock, family, zoom, neck=True):
    model = copy.deepcopy(stock)
    model.data_preprocessor.update(type=PREPROCESSORS[family], zoom=zoom)
    if neck:
        model.neck = dict(model.get('neck', {}), **NECKS[family])
    return model


def build(config):
    model = MODELS.build(config)
    model.init_weights()
    return model


def pair(family, zoom):
    """A stock model and its zoomed twin with the same weights."""
    config = stock_config(family)
    scope = STOCK[family][0]
    stock = build(dict(config, _scope_=scope))
    zoomed = build(dict(zoomed_config(config, family, zoom), _scope_=scope))
    zoomed.load_state_dict(stock.state_dict(), strict=True)
    return stock.eval(), zoomed.eval()


def batch(family, sizes, seed=0):
    """A batch as a dataloader gives it, source images (h, w) of random but smooth content."""
    generator = torch.Generator().manual_seed(seed)
    images = [_image(size, generator) for size in sizes]
    make = {'retinanet': _det_sample, 'pspnet': _seg_sample, 'fcos3d': _mono3d_sample}[family]
    samples = [make(size, generator) for size in sizes]
    return {
        'inputs': {'img': images} if family == 'fcos3d' else images,
        'data_samples': samples,
    }


def resized(data, family, sizes, train=True):
    """The same batch after a uniform resize, done by hand."""
    data = copy.deepcopy(data)
    images = data['inputs']['img'] if family == 'fcos3d' else data['inputs']
    for i, (image, sample, (h, w)) in enumerate(zip(images, data['data_samples'], sizes)):
        ratio = torch.tensor([w / image.shape[2], h / image.shape[1]])
        images[i] = F.interpolate(
            image[None].float(), (h, w), mode='bilinear', align_corners=False
        )[0]
        scale = sample.metainfo['scale_factor']
        sample.set_metainfo({'img_shape': (h, w)})
        if family == 'fcos3d':
            cam2img = torch.tensor(sample.cam2img)
            cam2img[:2] *= ratio[:, None]
            sample.set_metainfo({'cam2img': cam2img.tolist()})
        else:
            new = (scale[0] * float(ratio[0]), scale[1] * float(ratio[1]))
            sample.set_metainfo({'scale_factor': new})
        if not train:
            continue
        if family == 'pspnet':
            labels = sample.gt_sem_seg.data
            rows = ((torch.arange(h) + 0.5) / ratio[1]).long()
            columns = ((torch.arange(w) + 0.5) / ratio[0]).long()
            sample.gt_sem_seg = PixelData(data=labels[:, rows][:, :, columns])
        else:
            sample.gt_instances.bboxes = sample.gt_instances.bboxes * ratio.repeat(2)
        if family == 'retinanet':
            sample.ignored_instances.bboxes = sample.ignored_instances.bboxes * ratio.repeat(2)
        if family == 'fcos3d':
            instances = sample.gt_instances_3d
            instances.centers_2d = instances.centers_2d * ratio
    return data


def losses(model, data):
    outputs = model(**model.data_preprocessor(data, True), mode='loss')
    return {
        name: torch.stack([v.detach() for v in value])
        if isinstance(value, list)
        else value.detach()
        for name, value in outputs.items()
        if 'loss' in name
    }


def predictions(model, data):
    """Predictions as plain tensors."""
    results = []
    for sample in model.test_step(data):
        if 'pred_sem_seg' in sample:
            results.append({'logits': sample.seg_logits.data, 'labels': sample.pred_sem_seg.data})
        elif 'pred_instances_3d' in sample:
            found = sample.pred_instances_3d
            results.append({'boxes': found.bboxes_3d.tensor, 'scores': found.scores_3d})
        elif 'pred_panoptic_seg' in sample:
            results.append({'labels': sample.pred_panoptic_seg.sem_seg})
        else:
            found = sample.pred_instances
            results.append({'boxes': found.bboxes, 'scores': found.scores, 'labels': found.labels})
    return results


def _image(size, generator):
    coarse = torch.rand(1, 3, 8, 12, generator=generator) * 255
    image = F.interpolate(coarse, size, mode='bicubic').clamp(0, 255)
    return image[0].to(torch.uint8)


def _boxes(size, count, generator):
    h, w = size
    corners = torch.rand(count, 2, generator=generator) * torch.tensor([w * 0.6, h * 0.6])
    extent = 8 + torch.rand(count, 2, generator=generator) * torch.tensor([w * 0.3, h * 0.3])
    return torch.cat((corners, corners + extent), dim=1)


def _det_sample(size, generator):
    from mmdet.structures import DetDataSample

    scale = (1.25, 1.5)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=size,
            ori_shape=(round(size[0] / scale[1]), round(size[1] / scale[0])),
            scale_factor=scale,
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=_boxes(size, 4, generator), labels=torch.tensor([0, 1, 2, 3])
    )
    sample.ignored_instances = InstanceData(
        bboxes=_boxes(size, 1, generator), labels=torch.tensor([0])
    )
    return sample


def _seg_sample(size, generator):
    from mmseg.structures import SegDataSample

    sample = SegDataSample(
        metainfo=dict(img_shape=size, ori_shape=(size[0] * 2, size[1] * 2), scale_factor=(0.5, 0.5))
    )
    coarse = torch.randint(0, 19, (1, 1, 6, 9), generator=generator).float()
    labels = F.interpolate(coarse, size, mode='nearest')[0].long()
    sample.gt_sem_seg = PixelData(data=labels)
    return sample


def _mono3d_sample(size, generator):
    from mmdet3d.structures import CameraInstance3DBoxes, Det3DDataSample

    h, w = size
    focal = 0.8 * w
    cam2img = np.array([[focal, 0, w / 2], [0, focal, h / 2], [0, 0, 1]], dtype=np.float32)
    depths = 8 + 20 * torch.rand(4, generator=generator)
    across = (torch.rand(4, 2, generator=generator) - 0.5) * 0.8 * depths[:, None]
    boxes = torch.cat(
        (
            across * torch.tensor([1.0, 0.3]),
            depths[:, None],
            2 + torch.rand(4, 3),
            torch.rand(4, 3),
        ),
        dim=1,
    )
    camera_boxes = CameraInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5))
    projected = boxes[:, :2] / depths[:, None] * focal + torch.tensor([w / 2, h / 2])
    half = focal / depths[:, None] * torch.tensor([1.5, 1.0])
    sample = Det3DDataSample(
        metainfo=dict(
            img_shape=size,
            ori_shape=size,
            scale_factor=(1.0, 1.0),
            cam2img=cam2img.tolist(),
            box_type_3d=CameraInstance3DBoxes,
        )
    )
    labels = torch.tensor([0, 1, 2, 7])
    sample.gt_instances = InstanceData(
        bboxes=torch.cat((projected - half, projected + half), dim=1), labels=labels
    )
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=camera_boxes,
        labels_3d=labels,
        attr_labels=torch.tensor([0, 1, 2, 3]),
        centers_2d=projected,
        depths=depths,
    )
    return sample


def come_home(preprocessor, samples, rescale=True, model=None):
    """What a model that predicts into the samples of the last batch would return."""
    journeys = preprocessor.link.batch.journeys
    return [
        preprocessor.bring_home(sample, journey, rescale, model)
        for sample, journey in zip(samples, journeys)
    ]
