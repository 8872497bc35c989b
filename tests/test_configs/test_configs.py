"""Every config of the repository loads, builds and differs from its baseline by the zoom alone."""

import copy
import functools
import re
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, init_default_scope

from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.necks import UnzoomNeck

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs').glob('[!_]*/*.py'))
SALIENCY = {
    'uniform': 'UniformSaliency',
    'lzu-fixed': 'FixedSaliency',
    'lzu-equalise': 'FixedSaliency',
    'lzu-horizon-equalise': 'HorizonSaliency',
    'lzu-adaptive': 'TemporalSaliency',
    'lzu-combined': 'CombinedSaliency',
    'lzu-learned': 'LearnedSaliency',
    'lzu-learned-equalise': 'LearnedSaliency',
    'lzu-learned-kde': 'LearnedKDE',
    'fovea-fixed': 'FixedSaliency',
    'fovea-equalise': 'FixedSaliency',
    'fovea-adaptive': 'TemporalSaliency',
    'fovea-combined': 'CombinedSaliency',
    'fovea-learned-kde': 'LearnedKDE',
    'lz': 'LearnedSaliency',
    'lds': 'LearnedSaliency',
}
# The systems that LZU is compared with, and which LZU config each is made from.
BASELINES = {
    **{side: side.replace('fovea', 'lzu') for side in SALIENCY if side.startswith('fovea')},
    'lz': 'lzu-learned',
    'lds': 'lzu-learned',
}
ZOOMED = [path for path in CONFIGS if path.name.split('_')[0] in SALIENCY]
LZU = [path for path in ZOOMED if path.name.startswith('lzu-')]
# Variables, which nobody reads but the configs themselves.
VARIABLES = {
    'zoom',
    'frames_in_order',
    'learned_slowly',
    'fovea',
    'lz',
    'lds',
    'edge_head',
    'unzoom',
    'look',
}
# What a finer frame changes: strides follow, anchors keep their size.
FRAME = r'|model\.neck\.(antialias|frame)$' + (
    r'|model\.bbox_head\.(strides|anchor_generator\.(strides|octave_base_scale))$'
)
TEMPORAL = ('lzu-adaptive', 'lzu-combined', 'lzu-learned-kde')
MINI = [p for p in ZOOMED if 'mini-street' in p.name]
LIBRARIES = {
    'retinanet': 'mmdet',
    'yolox': 'mmdet',
    'faster_rcnn': 'mmdet',
    'pspnet': 'mmseg',
    'fcos3d': 'mmdet3d',
}
# The kinds of zoom that each model and dataset comes with.
KINDS = {
    'retinanet_r50_fpn_argoverse-hd-0.5x': (
        'uniform', 'lzu-fixed', 'lzu-adaptive', 'lzu-combined', 'lzu-learned', 'fovea-fixed',
        'fovea-adaptive', 'lz',
    ),
    'retinanet_r18_fpn_mini-street-0.25x': (
        'uniform', 'lzu-fixed', 'lzu-fixed-before-fpn', 'lzu-adaptive', 'lzu-combined',
        'lzu-learned', 'lzu-learned-kde', 'fovea-fixed', 'fovea-learned-kde', 'lz',
    ),
    'retinanet_r18_fpn_mini-street-lowres-2.0x': ('uniform', 'lzu-fixed'),
    'faster-rcnn_r50_fpn_argoverse-hd-0.5x': (
        'uniform', 'lzu-fixed', 'lzu-adaptive', 'lzu-combined', 'lzu-learned-kde', 'fovea-fixed',
        'fovea-adaptive', 'fovea-combined', 'fovea-learned-kde',
    ),
    'pspnet_r50-d8_cityscapes-256x256': ('uniform', 'lzu-fixed', 'lzu-learned', 'lds'),
    'pspnet_r18-d8_mini-street-128x128': ('uniform', 'lzu-fixed', 'lzu-learned', 'lds'),
    'yolox-nano_gtsdb-0.25x': (
        'uniform', 'lzu-fixed', 'lzu-equalise', 'lzu-horizon-equalise', 'lzu-learned-equalise',
        'fovea-fixed', 'fovea-equalise',
    ),
    'yolox-nano_mini-street-0.25x': (
        'uniform', 'lzu-fixed', 'lzu-equalise', 'lzu-adaptive',
    ),
    'retinanet_mobilenet-v2_fpn_gtsdb-0.25x': (
        'uniform', 'lzu-fixed', 'lzu-equalise', 'fovea-fixed', 'fovea-equalise',
    ),
    'pspnet_mobilenet-v2-d8_camvid-128x128': (
        'uniform', 'lzu-fixed', 'lzu-equalise', 'lzu-learned', 'lds',
    ),
    'fcos3d_r50-dcn_fpn_nus-mono3d-0.5x': ('uniform', 'lzu-fixed', 'lzu-learned'),
    'fcos3d_r18_fpn_mini-street-0.25x': ('uniform', 'lzu-fixed', 'lzu-learned'),
    'fcos3d_r18_fpn_mini-street-lowres-2.0x': ('uniform', 'lzu-fixed'),
}  # fmt: skip


def name(path):
    return path.stem


def side_of(path):
    return path.name.split('_')[0]


@functools.lru_cache(maxsize=None)
def read(path):
    return Config.fromfile(path)


def saliency_files(saliency):
    if 'path' in saliency:
        yield Path(saliency.path)
    for member in saliency.get('members', []):
        yield from saliency_files(member)


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
        for file in saliency_files(cfg.model.data_preprocessor.get('zoom', {}).get('saliency', {})):
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


def settings(cfg):
    return flatten({k: v for k, v in cfg.to_dict().items() if k not in VARIABLES})


def test_the_kinds_of_zoom_are_there():
    names = {name(path) for path in CONFIGS}
    for model, kinds in KINDS.items():
        assert {f'{kind}_{model}' for kind in kinds} <= names


@pytest.mark.parametrize('path', sorted((ROOT / 'configs/_base_/zoom').glob('*.py')), ids=name)
def test_every_kind_of_zoom_is_used(path):
    assert any(f'_base_/zoom/{path.name}' in config.read_text() for config in CONFIGS)


def test_learning_to_upsample_enlarges_what_the_pipeline_shrank(load, street):
    for task in ('retinanet', 'fcos3d'):
        for side in ('uniform', 'lzu-fixed'):
            (path,) = (ROOT / 'configs' / task).glob(f'{side}_*_mini-street-lowres-2.0x.py')
            cfg = load(path)
            model = MODELS.build(cfg.model)
            plain = load(path.with_name(path.name.replace('lowres-2.0x', '0.25x')))
            for loader, training in (('train_dataloader', True), ('test_dataloader', False)):
                batches = [
                    pseudo_collate([DATASETS.build(c[loader].dataset)[0]]) for c in (cfg, plain)
                ]
                small, full = (
                    b['inputs']['img'] if task == 'fcos3d' else b['inputs'] for b in batches
                )
                h, w = small[0].shape[1:]
                assert (h, w) == tuple(n // 4 for n in full[0].shape[1:])
                canvas = model.data_preprocessor.get_canvas(
                    model.data_preprocessor(batches[0], training)
                )
                assert model.data_preprocessor.link.batch.content == [(2 * h, 2 * w)]
                assert canvas.shape[2] >= 2 * h


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_it_builds(path, load):
    cfg = load(path)
    model = MODELS.build(cfg.model)
    neck = model.neck if model.with_neck else None
    assert isinstance(neck, UnzoomNeck) == (path in ZOOMED)
    if path in ZOOMED:
        saliency = type(model.data_preprocessor.saliency).__name__
        assert saliency == SALIENCY[side_of(path)]


@pytest.mark.parametrize('path', ZOOMED, ids=name)
def test_it_zooms_as_its_name_says(path, load):
    zoom = load(path).model.data_preprocessor.zoom
    variant = path.stem.rsplit('-', 1)[1]
    if zoom.get('size') and 'gtsdb' in path.stem:
        # As many pixels in another shape.
        h, w = zoom.size
        assert h * w == pytest.approx(float(variant[:-1]) ** 2 * 800 * 1360, rel=1e-3)
    elif zoom.get('size'):
        assert variant == '{1}x{0}'.format(*zoom.size)
    else:
        assert variant == f'{zoom.scale}x'


@pytest.mark.parametrize('path', LZU, ids=name)
def test_only_the_saliency_differs_from_the_baseline(path, load):
    side = side_of(path)
    lzu = settings(load(path))
    uniform = settings(load(path.with_name(path.name.replace(side, 'uniform'))))
    changed = {key for key in {*lzu, *uniform} if lzu.get(key) != uniform.get(key)}
    allowed = r'model\.data_preprocessor\.zoom\.saliency\.'
    if side in TEMPORAL:
        # How frames are fed to the model, which changes nothing for the baseline.
        allowed += r'|(val|test)_dataloader\.(batch_size|sampler\.type)'
    if side.endswith('-equalise'):
        allowed += r'|model\.data_preprocessor\.zoom\.(method|uniform_share|scale|size)$' + FRAME
    if side == 'lzu-learned-kde':
        allowed += r'|optim_wrapper\.paramwise_cfg'
    assert changed
    assert [key for key in changed if not re.match(allowed, key)] == []


@pytest.mark.parametrize('path', [p for p in ZOOMED if side_of(p) in BASELINES], ids=name)
def test_only_the_zoom_and_the_edge_loss_differ_from_lzu(path, load):
    side = side_of(path)
    baseline = settings(load(path))
    lzu = settings(load(path.with_name(path.name.replace(side, BASELINES[side], 1))))
    changed = {key for key in {*baseline, *lzu} if baseline.get(key) != lzu.get(key)}
    allowed = r'model\.data_preprocessor\.zoom\.(attraction_fwhm|separable|labels)$'
    if side == 'lds':
        allowed += r'|model\.auxiliary_head'
    if side == 'fovea-equalise':
        # Each was tuned by itself.
        allowed += r'|model\.data_preprocessor\.zoom\.(scale|size|saliency\.path)$' + FRAME
    assert 'model.data_preprocessor.zoom.labels' in changed
    assert [key for key in changed if not re.match(allowed, key)] == []


@pytest.mark.parametrize('path', [p for p in LZU if side_of(p) in TEMPORAL], ids=name)
def test_frames_follow_each_other(path, load):
    cfg = load(path)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.batch_size == 1
        assert loader.sampler == dict(type='lzu_mm.SequenceSampler', shuffle=False)
        assert {'video_id', 'frame_id'} <= set(loader.dataset.pipeline[-1].meta_keys)


@pytest.mark.parametrize('path', [p for p in LZU if 'learned-kde' in p.name], ids=name)
def test_learned_kde_learns_slowly_and_without_decay(path, load):
    cfg = load(path)
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    by_parameter = {id(p): group for group in groups for p in group['params']}
    saliency = model.data_preprocessor.saliency
    for theta in (saliency.theta_bandwidth, saliency.theta_amplitude):
        assert by_parameter[id(theta)]['lr'] == pytest.approx(
            0.005 * cfg.optim_wrapper.optimizer.lr
        )
        assert by_parameter[id(theta)]['weight_decay'] == 0


@pytest.mark.parametrize(
    ('model', 'option', 'size'),
    [
        ('fcos3d_r50-dcn_fpn_nus-mono3d-0.5x', 'scale=0.75', (675, 1200)),
        ('pspnet_r50-d8_cityscapes-256x256', 'size=64,64', (64, 64)),
    ],
)
def test_other_scales_are_an_option(model, option, size, load):
    """As docs/datasets.md and docs/benchmarks.md tell users to set them."""
    cfg = load(next(path for path in CONFIGS if name(path) == f'lzu-fixed_{model}'))
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    argument = f'model.data_preprocessor.zoom.{option}'
    cfg.merge_from_dict(parser.parse_args(['--cfg-options', argument]).cfg_options)
    assert ZoomSettings(**cfg.model.data_preprocessor.zoom).output_size((900, 1600)) == size


@pytest.mark.parametrize('path', ZOOMED, ids=name)
def test_pipelines_leave_images_whole(path, load):
    text = str(load(path).train_dataloader)
    assert 'Crop' not in text
    assert 'ratio_range' not in text


@pytest.mark.parametrize('path', MINI, ids=name)
def test_it_trains_and_tests_on_mini_street(path, load, street):
    cfg = load(path)
    if cfg.model.data_preprocessor.zoom.get('scale') == 0.25:
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
    if task == 'retinanet':
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
