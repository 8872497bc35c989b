"""Every config of the repository loads, builds and differs from its baseline by the zoom alone."""

import copy
import functools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope

from lzu_mm.necks import UnzoomNeck

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs').glob('[!_]*/*.py'))
ZOOMED = [path for path in CONFIGS if path.name.startswith(('uniform_', 'lzu-fixed_'))]
FIXED = [path for path in CONFIGS if path.name.startswith('lzu-fixed_')]
MINI = [path for path in ZOOMED if path.name.endswith('mini-street-0.25x.py')]
LIBRARIES = {'retinanet': 'mmdet', 'pspnet': 'mmseg', 'fcos3d': 'mmdet3d'}
SCALES = {'0.25x', '0.5x', '0.75x', '1.0x'}
SIZES = {'64x64', '128x128', '256x256', '512x512'}


def name(path):
    return path.stem


@functools.lru_cache(maxsize=None)
def read(path):
    return Config.fromfile(path)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a config where its saliency files exist: peaked in the middle of the image."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MINI_STREET', 'street')
    saliency = np.full((9, 12), 1.0, np.float32)
    saliency[3:6, 4:8] = 20

    def load(path):
        pytest.importorskip(LIBRARIES[path.parent.name])
        cfg = copy.deepcopy(read(path))
        zoom = cfg.model.data_preprocessor.get('zoom')
        if zoom is not None and 'path' in zoom.saliency:
            file = Path(zoom.saliency.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, saliency=saliency)
        init_default_scope(cfg.default_scope)
        return cfg

    return load


@pytest.fixture
def street(load, mini_street):
    """The tiny mini-street where the configs look for it."""
    Path('street').mkdir()
    for folder in mini_street.iterdir():
        (Path('street') / folder.name).symlink_to(folder)


def flatten(value, prefix=''):
    if isinstance(value, (dict, ConfigDict)):
        return {
            path: leaf
            for key, item in value.items()
            for path, leaf in flatten(item, f'{prefix}.{key}' if prefix else key).items()
        }
    return {prefix: repr(value)}


def test_all_tasks_scales_and_sides_are_there():
    for task, data, variants in (
        ('retinanet', 'argoverse-hd', SCALES),
        ('retinanet', 'mini-street', SCALES),
        ('pspnet', 'cityscapes', SIZES),
        ('pspnet', 'mini-street', SCALES),
        ('fcos3d', 'nus-mono3d', SCALES),
        ('fcos3d', 'mini-street', SCALES),
    ):
        for side in ('uniform', 'lzu-fixed'):
            pattern = re.compile(rf'{side}_{task}_.*{data}-(.*)')
            found = {m.group(1) for m in map(pattern.fullmatch, map(name, CONFIGS)) if m}
            assert found == variants, (side, task, data)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_it_builds(path, load):
    cfg = load(path)
    model = MODELS.build(cfg.model)
    neck = model.neck if model.with_neck else None
    assert isinstance(neck, UnzoomNeck) == (path in FIXED)
    if path in ZOOMED:
        assert type(model.data_preprocessor.saliency).__name__ == (
            'FixedSaliency' if path in FIXED else 'UniformSaliency'
        )


@pytest.mark.parametrize('path', ZOOMED, ids=name)
def test_it_zooms_as_its_name_says(path, load):
    zoom = load(path).model.data_preprocessor.zoom
    variant = path.stem.rsplit('-', 1)[1]
    if 'size' in zoom:
        assert variant == '{1}x{0}'.format(*zoom.size)
    else:
        assert variant == f'{zoom.scale}x'


@pytest.mark.parametrize('path', FIXED, ids=name)
def test_only_saliency_and_neck_differ_from_the_baseline(path, load):
    fixed = flatten(load(path).to_dict())
    uniform = flatten(load(path.with_name(path.name.replace('lzu-fixed', 'uniform'))).to_dict())
    changed = {key for key in {*fixed, *uniform} if fixed.get(key) != uniform.get(key)}
    allowed = r'(model\.)?data_preprocessor\.zoom\.saliency\.|model\.neck'
    assert changed
    assert [key for key in changed if not re.match(allowed, key)] == []


@pytest.mark.parametrize('path', FIXED, ids=name)
def test_only_the_zoom_differs_between_scales(path, load):
    family = name(path).rsplit('-', 1)[0]
    first = next(other for other in FIXED if name(other).startswith(family))
    one, other = flatten(load(first).to_dict()), flatten(load(path).to_dict())
    changed = {key for key in {*one, *other} if one.get(key) != other.get(key)}
    assert all(re.search(r'data_preprocessor\.zoom\.(scale|size)$', key) for key in changed)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_pipelines_leave_images_whole(path, load):
    text = str(load(path).train_dataloader)
    assert 'Crop' not in text
    assert 'ratio_range' not in text


@pytest.mark.parametrize('path', MINI, ids=name)
def test_it_trains_and_tests_on_mini_street(path, load, street):
    cfg = load(path)
    cfg.model.data_preprocessor.zoom.scale = 0.125  # for speed
    model = MODELS.build(cfg.model).train()
    # Scores start low, so that few boxes are left to sort out.
    model.init_weights()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    data = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), training=True)
    losses, _ = model.parse_losses(model(**data, mode='loss'))
    losses.backward()
    assert torch.isfinite(losses)
    gradients = [p.grad for p in model.backbone.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)

    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    with torch.no_grad():
        (prediction,) = model.eval().test_step(pseudo_collate([dataset[0]]))
    shown = {'mmdet': 'pred_instances', 'mmseg': 'pred_sem_seg', 'mmdet3d': 'pred_instances_3d'}
    assert shown[cfg.default_scope] in prediction


@pytest.mark.parametrize('task', ['retinanet', 'pspnet'])
def test_test_time_augmentation(task, load, street):
    cfg = load(next(path for path in MINI if name(path).startswith(f'lzu-fixed_{task}')))
    dataset = DATASETS.build({**cfg.val_dataloader.dataset, 'pipeline': cfg.tta_pipeline})
    views = dataset[0]
    assert [sample.flip for sample in views['data_samples']] == [False, True]
    cfg.model.data_preprocessor.zoom.scale = 0.125  # for speed
    model = MODELS.build({**cfg.tta_model, 'module': cfg.model}).eval()
    with torch.no_grad():
        (prediction,) = model.test_step(pseudo_collate([views]))
    shape = prediction.metainfo['ori_shape']
    if task == 'pspnet':
        assert prediction.pred_sem_seg.data.shape[-2:] == tuple(shape)
    else:
        boxes = prediction.pred_instances.bboxes
        assert (boxes[:, 2] <= shape[1] + 1).all()
