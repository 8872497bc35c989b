"""LearnedSaliency finds the objects of mini-street by the detector's loss alone."""

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope

from lzu_mm.saliency import TemporalSaliency

from ..test_tools.launching import ROOT

GAIN = 1.15


@pytest.fixture
def config(mini_street, monkeypatch):
    monkeypatch.setenv('MINI_STREET', str(mini_street))
    path = 'configs/retinanet/lzu-learned_retinanet_r18_fpn_mini-street-0.25x.py'
    cfg = Config.fromfile(ROOT / path)
    init_default_scope('mmdet')
    # 320x200 in, 160x100 to the network.
    cfg.train_dataloader.dataset.pipeline[2].update(scale_factor=1 / 6, interpolation='area')
    cfg.model.data_preprocessor.zoom.scale = 0.5
    # A ResNet-18 half as wide, to be quick.
    cfg.model.backbone.base_channels = 32
    cfg.model.neck.update(in_channels=[32, 64, 128, 256], out_channels=64)
    cfg.model.bbox_head.update(in_channels=64, feat_channels=64)
    cfg.model.bbox_head.anchor_generator.octave_base_scale = 3
    return cfg


def train(model, items, parameters, lr, iterations):
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01)
    for _ in range(iterations):
        data = model.data_preprocessor(pseudo_collate(items), True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10)
        optimizer.step()


def objects(saliency, item):
    """Which cells have their centre in a box, of the shape of the map."""
    h, w = item['inputs'].shape[-2:]
    rows, columns = saliency.shape
    y = (torch.arange(rows) + 0.5)[:, None] * h / rows
    x = (torch.arange(columns) + 0.5) * w / columns
    boxes = item['data_samples'].gt_instances.bboxes.tensor
    inside = [(x >= x1) & (x < x2) & (y >= y1) & (y < y2) for x1, y1, x2, y2 in boxes]
    return torch.stack(inside).any(dim=0)


@torch.no_grad()
def mass_on_objects(module, items):
    """Mass of the maps on the objects, over what a uniform map has there."""
    gains = []
    for item in items:
        saliency = module([item['inputs']], None, False)[0, 0]
        cells = objects(saliency, item)
        gains.append(saliency[cells].sum() / cells.float().mean())
    return sum(gains).item() / len(gains)


@pytest.mark.slow
def test_the_map_gains_mass_on_objects(config):
    """From a uniform start, by a factor of 1.15 at least within 80 iterations.

    The detector has learned from magnified objects before, and is held still: learning along, it
    gets used to uniform images sooner than the map departs from uniform.
    """
    model = MODELS.build(config.model).train()
    model.init_weights()
    learned = model.data_preprocessor.saliency
    detector = [p for name, p in model.named_parameters() if 'saliency' not in name]
    dataset = DATASETS.build(config.train_dataloader.dataset)
    items = [dataset[index] for index in range(9)]

    model.data_preprocessor.saliency = TemporalSaliency(bandwidth=384, jitter=20)
    train(model, items, detector, lr=1e-3, iterations=80)
    model.data_preprocessor.saliency = learned
    assert mass_on_objects(learned, items) == pytest.approx(1, abs=1e-5)
    train(model, items, list(learned.parameters()), lr=2e-3, iterations=80)
    gain = mass_on_objects(learned, items)
    print(f'mass on objects: {gain:.2f} times that of a uniform map')
    assert gain > GAIN
