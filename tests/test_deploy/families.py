"""Small zoomed models of many families, made of stock configs, with weights that find something."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.utils import get_installed_path
from torch import nn

from lzu_mm.deploy.export import structured_image
from lzu_mm.deploy.tasks import task_of
from tests.models import PREPROCESSORS, scoped

STOCK = {
    'RetinaNet': ('mmdet', 'retinanet/retinanet_r18_fpn_1x_coco.py'),
    'FCOS': (
        'mmdet',
        'fcos/fcos_r18_fpn_gn-head-center-normbbox-centeronreg-giou_8xb8-amp-lsj-200e_coco.py',
    ),
    'ATSS': ('mmdet', 'atss/atss_r18_fpn_8xb8-amp-lsj-200e_coco.py'),
    'YOLOX': ('mmdet', 'yolox/yolox_tiny_8xb8-300e_coco.py'),
    'RTMDet': ('mmdet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py'),
    'PSPNet': ('mmseg', 'pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'DeepLabV3+': ('mmseg', 'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
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
def excite(model, size=(128, 192)):
    """Let scores of all sizes and classes come out of untrained weights."""
    image = torch.from_numpy(structured_image(size).transpose(2, 0, 1).copy())[None]
    # Names of what predicts scores, and boxes in units of a stride or an anchor.
    given = {
        layer: (name, [])
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d)
        and layer.bias is not None
        and 'convs' not in name
        and any(part in name for part in ('cls', 'obj', 'reg'))
    }
    handles = [
        layer.register_forward_hook(lambda layer, _, out: given[layer][1].append(out.flatten()))
        for layer in given
    ]
    task_of(model.eval(), size).predict(image)
    for handle in handles:
        handle.remove()
    for layer, (name, outputs) in given.items():
        if outputs:
            spread, centre = (0.5, 1.5) if 'reg' in name else (2, -2)
            if name.endswith(('retina_reg', 'atss_reg')):  # offsets from anchors
                centre = 0
            values = torch.cat(outputs)
            factor = spread / values.std().clamp(min=1e-3)
            layer.weight *= factor
            layer.bias.copy_((layer.bias - values.mean()) * factor + centre)


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
