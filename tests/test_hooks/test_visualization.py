"""The pictures that a runner draws while it trains, validates and tests."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from lzu_mm.hooks import ZoomVisualizationHook
from lzu_mm.saliency import save_saliency

from ..test_tools.launching import ROOT

event_accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')

PICTURES = ('saliency', 'warp', 'zoomed')


@pytest.fixture
def config(mini_street, tmp_path, monkeypatch):
    """RetinaNet on mini-street, 4 iterations of one image each and 3 images to validate on."""
    (tmp_path / 'street').mkdir()
    (tmp_path / 'street' / 'argoverse_hd').symlink_to(mini_street.resolve() / 'argoverse_hd')
    band = torch.ones(31, 51)
    band[14:17] = 8
    save_saliency(tmp_path / 'street' / 'saliency' / 'argoverse_hd.npz', band, {})
    monkeypatch.setenv('MINI_STREET', str(tmp_path / 'street'))
    # Runners write their config several times, and it takes seconds to make it pretty.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: repr(cfg)))

    def config(side='lzu-fixed', **hook):
        name = f'{side}_retinanet_r18_fpn_mini-street-0.25x.py'
        cfg = Config.fromfile(ROOT / 'configs' / 'retinanet' / name)
        cfg.work_dir = str(tmp_path / 'work')
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
        loader = dict(batch_size=1, num_workers=0, persistent_workers=False)
        cfg.train_dataloader.update(loader)
        cfg.train_dataloader.dataset.indices = 4
        for name in ('val_dataloader', 'test_dataloader'):
            cfg[name].update(loader)
            cfg[name].dataset.indices = 3
        cfg.model.data_preprocessor.zoom.scale = 0.125
        cfg.model.test_cfg.score_thr = 0.5  # nothing to sort out
        cfg.custom_hooks = [dict(type='lzu_mm.ZoomVisualizationHook', interval=2, **hook)]
        cfg.visualizer.vis_backends = [
            dict(type='LocalVisBackend'),
            dict(type='TensorboardVisBackend'),
        ]
        # Each runner of a process needs a visualizer of its own.
        cfg.experiment_name = cfg.visualizer.name = f'{tmp_path.name}_{side}'
        cfg.log_level = 'WARNING'
        init_default_scope('mmdet')
        return cfg

    return config


def written(cfg, folder='vis_image'):
    """Pictures by name."""
    (found,) = (p for p in (ROOT / cfg.work_dir).glob(f'*/vis_data/{folder}'))
    return {path.stem: cv2.imread(str(path)) for path in found.iterdir()}


def test_training_and_validation(config):
    cfg = config(width=320)
    Runner.from_cfg(cfg).train()
    pictures = written(cfg)
    expected = {f'train_{name}_{step}' for name in PICTURES for step in (0, 2)}
    # Validation after 4 iterations, of batches 0, 1 and 2.
    expected |= {f'val_{batch}_{name}_4' for name in PICTURES for batch in (0, 2)}
    assert set(pictures) == expected

    assert pictures['train_saliency_0'].shape == (200, 320, 3)
    assert pictures['train_warp_0'].shape == (200, 320, 3)
    assert pictures['train_zoomed_0'].shape == (150, 240, 3)
    heat = pictures['val_0_saliency_4'][..., 2].astype(int)
    assert heat[90:110].mean() > heat[:40].mean() + 50
    assert not np.array_equal(pictures['val_0_zoomed_4'], pictures['val_2_zoomed_4'])

    (events,) = (ROOT / cfg.work_dir).glob('*/vis_data/events*')
    board = event_accumulator.EventAccumulator(str(events), size_guidance={'images': 0})
    board.Reload()
    tags = {f'train_{name}': [0, 2] for name in PICTURES}
    tags.update({f'val_{batch}_{name}': [4] for name in PICTURES for batch in (0, 2)})
    assert {tag: [i.step for i in board.Images(tag)] for tag in board.Tags()['images']} == tags
    shown = board.Images('val_0_saliency')[0].encoded_image_string
    decoded = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, pictures['val_0_saliency_4'])


def test_colours_are_those_of_the_source(config):
    cfg = config()
    runner = Runner.from_cfg(cfg)
    runner.test()
    pictures = written(cfg)
    assert set(pictures) == {f'test_{batch}_{name}_0' for name in PICTURES for batch in (0, 2)}
    source = runner.test_dataloader.dataset[0]['inputs'].permute(1, 2, 0).numpy()
    means = source.mean((0, 1)), pictures['test_0_zoomed_0'].mean((0, 1))
    assert np.argsort(means[0]).tolist() == np.argsort(means[1]).tolist()
    assert np.ptp(means[0]) > 2
    np.testing.assert_allclose(means[1], means[0], atol=20)


def test_pictures_change_nothing(config):
    """A run with pictures ends with the same weights as one without."""
    weights = []
    for draw in (True, False):
        cfg = config('lzu-learned', draw=draw)
        cfg.randomness = dict(seed=0)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.experiment_name = cfg.visualizer.name = f'{cfg.experiment_name}_{draw}'
        cfg.work_dir = f'{cfg.work_dir}_{draw}'
        runner = Runner.from_cfg(cfg)
        runner.train()
        weights.append(runner.model.state_dict())
        assert bool(list((ROOT / cfg.work_dir).glob('*/vis_data/vis_image/*'))) == draw
        assert not runner.model.data_preprocessor._forward_hooks
        assert not runner.model.data_preprocessor.saliency._forward_hooks
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_show_opens_a_window_instead(config, monkeypatch):
    shown = []

    def show(self, image, win_name, wait_time):
        shown.append((image.shape, win_name, wait_time))

    monkeypatch.setattr(Visualizer, 'show', show)
    cfg = config(show=True, wait_time=0.5, width=160)
    Runner.from_cfg(cfg).test()
    assert [call[1:] for call in shown] == [('test_0', 0.5), ('test_2', 0.5)]
    assert shown[0][0][1] == 3 * 160 + 4 * 14
    assert not list((ROOT / cfg.work_dir).glob('*/vis_data/vis_image/*'))


class Wrapped(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module


def test_a_wrapped_model(config):
    cfg = config()
    runner = Runner.from_cfg(cfg)
    plain = runner.model
    runner.model = Wrapped(Wrapped(plain))
    hook = ZoomVisualizationHook(interval=1)
    hook.before_train_iter(runner, 0)
    data = next(iter(runner.train_dataloader))
    plain.data_preprocessor(data, True)
    hook.after_train_iter(runner, 0)
    assert set(written(cfg)) == {f'train_{name}_0' for name in PICTURES}


def test_bad_settings_are_named(config):
    with pytest.raises(ValueError, match=r'interval must be a whole number in \[1, inf\), got 0'):
        ZoomVisualizationHook(interval=0)
    name = ROOT / 'configs/retinanet/retinanet_r18_fpn_mini-street.py'
    cfg = config()
    cfg.model = Config.fromfile(name).model
    with pytest.raises(ValueError, match=r'model\.data_preprocessor is a DetDataPreprocessor'):
        Runner.from_cfg(cfg).test()
