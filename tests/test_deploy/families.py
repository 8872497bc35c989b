"""Small zoomed models of many families, made of stock configs, with weights that find something."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.utils import get_installed_path
from torch import nn

from lzu_mm.deploy import OnnxModel, export_onnx
from lzu_mm.deploy.export import structured_image
from lzu_mm.deploy.tasks import task_of
from tests.models import PREPROCESSORS, scoped

onnx = pytest.importorskip('onnx')
SIZE = (128, 192)
STOCK = {
    'RetinaNet': ('mmdet', 'retinanet/retinanet_r18_fpn_1x_coco.py'),
    'FCOS': (
        'mmdet',
        'fcos/fcos_r18_fpn_gn-head-center-normbbox-centeronreg-giou_8xb8-amp-lsj-200e_coco.py',
    ),
    'ATSS': ('mmdet', 'atss/atss_r18_fpn_8xb8-amp-lsj-200e_coco.py'),
    'YOLOX': ('mmdet', 'yolox/yolox_tiny_8xb8-300e_coco.py'),
    'RTMDet': ('mmdet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py'),
    'DETR': ('mmdet', 'detr/detr_r50_8xb2-150e_coco.py'),
    'Conditional DETR': ('mmdet', 'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py'),
    'DAB-DETR': ('mmdet', 'dab_detr/dab-detr_r50_8xb2-50e_coco.py'),
    'Deformable DETR': ('mmdet', 'deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco.py'),
    'DINO': ('mmdet', 'dino/dino-4scale_r50_8xb2-12e_coco.py'),
    'DDQ DETR': ('mmdet', 'ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py'),
    'Faster R-CNN': ('mmdet', 'faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py'),
    'Mask R-CNN': ('mmdet', 'mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py'),
    'Cascade R-CNN': ('mmdet', 'cascade_rcnn/cascade-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py'),
    'Double-Head R-CNN': ('mmdet', 'double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py'),
    'Panoptic FPN': ('mmdet', 'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py'),
    'PSPNet': ('mmseg', 'pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'DeepLabV3+': ('mmseg', 'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'UPerNet-Swin': (
        'mmseg',
        'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py',
    ),
    'SegFormer': ('mmseg', 'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py'),
    'FCOS3D': ('mmdet3d', 'fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py'),
    'SMOKE': ('mmdet3d', 'smoke/smoke_dla34_dlaneck_gn-all_4xb8-6x_kitti-mono3d.py'),
    'PGD': ('mmdet3d', 'pgd/pgd_r101-caffe_fpn_head-gn_4xb3-4x_kitti-mono3d.py'),
}


def stock_model(family):
    scope, name = STOCK[family]
    scoped(scope)
    path = Path(get_installed_path(scope)) / '.mim' / 'configs' / name
    model = Config.fromfile(path).model
    _forget_weights(model)
    model.data_preprocessor.pop('batch_augments', None)
    if scope == 'mmseg':
        model.test_cfg = dict(mode='whole')
    return model, scope


def small_model(family, zoom=None, excited=True, **changes):
    """A model of a family; ``changes`` are merged into its config."""
    model, scope = stock_model(family)
    if zoom is not None:
        kind = {'mmdet': 'retinanet', 'mmseg': 'pspnet', 'mmdet3d': 'fcos3d'}[scope]
        model.data_preprocessor.update(type=PREPROCESSORS[kind], zoom=zoom)
        model.neck = unzoomed(model.get('neck'))
    config = Config(dict(model=model))
    config.merge_from_dict({f'model.{name}': value for name, value in changes.items()})
    built = MODELS.build(dict(config.model, _scope_=scope))
    built.init_weights()
    if excited:
        excite(built)
    return built.eval()


def unzoomed(neck):
    if isinstance(neck, list):
        return dict(type='lzu_mm.UnzoomNeck', inner=neck)
    inner = dict(inner=neck.type) if neck else {}
    return dict(neck or {}, type='lzu_mm.UnzoomNeck', **inner)


@torch.no_grad()
def excite(model, image=None):
    """Let scores of all sizes and classes come out of untrained weights."""
    image = structured_image(SIZE) if image is None else image
    size = image.shape[:2]
    image = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    given = {layer: (name, []) for name, layer in model.named_modules() if predicts(name, layer)}
    handles = [
        layer.register_forward_hook(lambda layer, _, out: given[layer][1].append(out))
        for layer in given
    ]
    task_of(model.eval(), size).predict(image)
    for handle in handles:
        handle.remove()
    for layer, (name, outputs) in given.items():
        if outputs:
            spread, centre = (0.5, 1.5) if 'reg' in name else (2, -2)
            # Offsets, from anchors, proposals or queries.
            if name.endswith(('retina_reg', 'atss_reg', 'rpn_reg')) or linear(layer):
                centre = centre if 'cls' in name else 0
            columns = 1
            if linear(layer):
                # Untrained queries hardly differ: each output of the last is spread by itself.
                columns = layer.out_features
                outputs = [output[-1] if output.dim() > 2 else output for output in outputs]
            values = torch.cat([output.reshape(-1, columns) for output in outputs])
            factor = spread / values.std(dim=0).clamp(min=1e-3)
            layer.weight *= factor.view(-1, *[1] * (layer.weight.dim() - 1))
            layer.bias.copy_((layer.bias - values.mean(dim=0)) * factor + centre)


def linear(layer):
    return isinstance(layer, nn.Linear)


def predicts(name, layer):
    """Whether a layer predicts scores, or boxes in units of a stride, an anchor or a proposal."""
    if linear(layer):
        return 'cls' in name or ('reg' in name and layer.out_features in (4, 20))
    return (
        isinstance(layer, nn.Conv2d)
        and layer.bias is not None
        and 'convs' not in name
        and any(part in name for part in ('cls', 'obj', 'reg'))
    )


def other_image(size=SIZE):
    """Not the one that export_onnx compares on."""
    return np.ascontiguousarray(structured_image(size)[::-1, ::-1])


def both(model, path, image):
    """The prediction of a model, and the outputs of its file."""
    batch = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    deployed = task_of(model, image.shape[:2])
    with torch.no_grad():
        return deployed.predict(batch[None]), OnnxModel(path).run(batch)


def check_file(model, folder, share=0.1):
    """Export a model, and compare on another image; the sample, the outputs and the graph.

    Differences must be below a share of what the export lets pass.
    """
    before = copy.deepcopy(model.state_dict())
    path = folder / 'end2end.onnx'
    export_onnx(model, path, SIZE)
    assert [file.name for file in folder.iterdir()] == ['end2end.onnx']
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    sample, outputs = both(model, path, other_image())
    deployed = task_of(model, SIZE)
    found = deployed.differences(sample, outputs)
    assert all(value <= deployed.tolerance[name] * share for name, value in found.items()), found
    answers = outputs.get('labels', outputs.get('output'))
    assert len(np.unique(answers[answers >= 0])) > 2
    graph = onnx.load(path).graph
    assert {node.domain for node in graph.node} == {''}
    return sample, outputs, graph


def shapes(values):
    return {v.name: [dim.dim_value for dim in v.type.tensor_type.shape.dim] for v in values}


def _forget_weights(config):
    if isinstance(config, dict):
        config.pop('pretrained', None)
        if isinstance(config.get('init_cfg'), dict) and config.init_cfg.type == 'Pretrained':
            config.pop('init_cfg')
        if config.get('type') == 'SyncBN':
            config.type = 'BN'
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, (dict, list)):
            _forget_weights(value)
