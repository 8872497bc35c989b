"""Segmentors whose backbones do not hand over a plain list of levels, through zoomify."""

import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS

from lzu_mm.zoomify import settings_of, zoom_config

from ..models import UNIFORM, batch, predictions, scoped

SIZE = (128, 192)
# Each level of DPT's is a map and a class token; the others' give one tensor in eval mode.
CONFIGS = {
    'DPT': 'dpt/dpt_vit-b16_8xb2-160k_ade20k-512x512.py',
    'PIDNet': 'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    'DDRNet': 'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
}


def stock_settings(name):
    """Settings of a stock config, without pretrained weights, small where it is large."""
    scoped('mmseg')
    settings = settings_of(Config.fromstring(f"_base_ = ['mmseg::{CONFIGS[name]}']", '.py'))
    model = settings['model']
    model.pop('pretrained', None)
    model['backbone'].pop('init_cfg', None)
    model['backbone'].pop('pretrained', None)
    if name == 'DPT':
        model['backbone'].update(
            num_layers=4, out_indices=(0, 1, 2, 3), embed_dims=48, num_heads=3, img_size=SIZE
        )
        model['decode_head'].update(embed_dims=48, in_channels=(48,) * 4, channels=32)
    return settings


def build(settings):
    torch.manual_seed(0)
    config = ConfigDict(copy.deepcopy(settings['model']))
    return revert_sync_batchnorm(MODELS.build(config)).eval()


@pytest.mark.parametrize('name', CONFIGS)
def test_predictions_at_scale_1_with_uniform_saliency_are_the_stock_models(name):
    settings = stock_settings(name)
    stock = build(settings)
    zoomed = build(zoom_config(settings, dict(scale=1.0, saliency=UNIFORM)).config)
    zoomed.load_state_dict(stock.state_dict(), strict=True)
    data = batch('pspnet', [SIZE])
    (found,), (expected,) = (predictions(model, copy.deepcopy(data)) for model in (zoomed, stock))
    assert expected['logits'].std() > 0
    torch.testing.assert_close(found['logits'], expected['logits'], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('name', CONFIGS)
def test_what_is_zoomed_is_unzoomed(name):
    """Every map that the backbone gives is unzoomed; class tokens stay as they are."""
    settings = stock_settings(name)
    saliency = dict(type='lzu_mm.HorizonSaliency', row=0.3)
    model = build(zoom_config(settings, dict(size=SIZE, saliency=saliency)).config)
    seen = []
    model.backbone.register_forward_hook(lambda _, __, output: seen.append(output))
    (found,) = predictions(model, batch('pspnet', [SIZE]))
    assert found['logits'].isfinite().all()
    levels = model.neck(seen[0])
    levels = [levels] if isinstance(levels, torch.Tensor) else list(levels)
    raw = [seen[0]] if isinstance(seen[0], torch.Tensor) else list(seen[0])
    for one, other in zip(levels, raw):
        tokens = isinstance(other, (list, tuple))
        a, b = (one[0], other[0]) if tokens else (one, other)
        assert a.shape == b.shape
        assert not torch.allclose(a, b)
        if tokens:
            assert torch.equal(one[1], other[1])
