"""Checkpoints survive kills, resuming finds the newest that loads, and wrong ones are refused."""

import os
import pickle
import random
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import nn

from lzu_mm import LearnedSaliency
from lzu_mm.engine import (
    CheckpointError,
    SafeCheckpointHook,
    build_runner,
    latest_checkpoint,
    read_checkpoint,
)
from lzu_mm.engine import check_weights as check

from .processes import full_disk, start


@MODELS.register_module(force=True)
class SmallModel(BaseModel):
    """A model of a backbone and a head that learns something."""

    def __init__(self, classes=2):
        super().__init__()
        self.backbone = nn.Linear(3, 4)
        self.head = nn.Linear(4, classes)

    def forward(self, inputs, mode='tensor'):
        return {'loss': self.head(self.backbone(torch.stack(inputs))).square().mean()}


@DATASETS.register_module(force=True)
class Points(torch.utils.data.Dataset):
    """Four points; in training each step draws noise, as augmentations do."""

    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((3,), float(index)) + torch.rand(3))


def config(work_dir, epochs=3, **changes):
    return Config(
        dict(
            model=dict(type='SmallModel'),
            work_dir=str(work_dir),
            train_dataloader=dict(
                dataset=dict(type='Points'),
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1)
            ),
            experiment_name=f'small{time.monotonic_ns()}',
            randomness=dict(seed=0),
            **changes,
        )
    )


def train(work_dir, epochs=3, **changes):
    runner = build_runner(config(work_dir, epochs, **changes))
    runner.train()
    return runner


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize('call', [os.fsync, os.replace])
@pytest.mark.parametrize('moment', ['before', 'after'])
def test_a_kill_while_a_checkpoint_is_written_leaves_one_to_resume_from(
    tmp_path, monkeypatch, call, moment
):
    calls = []

    def killed(*args):
        calls.append(args)
        second = len(calls) == 2  # the first checkpoint is whole
        if second and moment == 'before':
            raise Killed
        call(*args)
        if second:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, call.__name__, killed)
        with pytest.raises(Killed):
            train(tmp_path)
    latest = latest_checkpoint(str(tmp_path))
    assert Path(latest).name in ('epoch_1.pth', 'epoch_2.pth')
    runner = train(tmp_path, resume=True, load_from=latest)
    assert runner.epoch == 3
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']


def test_a_full_disk_while_a_checkpoint_is_written_leaves_the_last(tmp_path):
    train(tmp_path, 2)
    latest = latest_checkpoint(str(tmp_path))
    with full_disk(Path(latest).stat().st_size // 2), pytest.raises(OSError, match='too large'):
        train(tmp_path, 3, resume=True, load_from=latest)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_2.pth']
    assert latest_checkpoint(str(tmp_path)) == latest
    assert train(tmp_path, 3, resume=True, load_from=latest).epoch == 3


@pytest.mark.parametrize(
    'kind', [None, 'CheckpointHook', 'mmengine.CheckpointHook', 'mmengine.hooks.CheckpointHook']
)
def test_the_stock_hook_is_replaced_whatever_it_is_called(tmp_path, kind):
    cfg = config(tmp_path)
    cfg.default_hooks = {} if kind is None else dict(checkpoint=dict(type=kind))
    assert SafeCheckpointHook in map(type, build_runner(cfg).hooks)


def test_the_stock_hook_of_a_pure_python_config_is_replaced(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        'from mmengine.hooks import CheckpointHook\n'
        'default_hooks = dict(checkpoint=dict(type=CheckpointHook, max_keep_ckpts=2))\n'
    )
    cfg = Config.fromfile(path, lazy_import=True)
    cfg.update({**config(tmp_path), 'default_hooks': cfg.default_hooks})
    (hook,) = [hook for hook in build_runner(cfg).hooks if isinstance(hook, CheckpointHook)]
    assert isinstance(hook, SafeCheckpointHook)
    assert hook.max_keep_ckpts == 2


def test_other_hooks_are_left_alone(tmp_path):
    cfg = config(tmp_path)
    cfg.default_hooks.checkpoint = None
    assert not [hook for hook in build_runner(cfg).hooks if isinstance(hook, CheckpointHook)]


def test_old_checkpoints_are_removed_in_the_end(tmp_path):
    train(tmp_path)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith('.')]


@pytest.mark.parametrize(
    'pointer', ['', '/moved/elsewhere/epoch_2.pth', '/moved/epo', 'epoch_9.pth', None]
)
def test_a_damaged_pointer_does_not_end_the_training(tmp_path, pointer):
    train(tmp_path, 2)
    file = tmp_path / 'last_checkpoint'
    file.unlink() if pointer is None else file.write_text(pointer)
    assert Path(latest_checkpoint(str(tmp_path))) == tmp_path / 'epoch_2.pth'


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    train(tmp_path, 2)
    good = (tmp_path / 'epoch_2.pth').read_bytes()
    (tmp_path / 'epoch_10.pth').write_bytes(good[: len(good) // 2])
    (tmp_path / 'epoch_11.pth').write_bytes(b'')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_11.pth'))
    assert Path(latest_checkpoint(str(tmp_path))) == tmp_path / 'epoch_2.pth'
    (tmp_path / 'epoch_2.pth').unlink()
    with pytest.raises(CheckpointError, match=r'epoch_11\.pth.*epoch_10\.pth.*--work-dir'):
        latest_checkpoint(str(tmp_path))
    assert latest_checkpoint(str(tmp_path / 'none')) is None


def state():
    return {key: value.clone() for key, value in SmallModel().state_dict().items()}


def without(*names):
    return {key: value for key, value in state().items() if not key.startswith(names)}


def test_checkpoints_that_do_not_fit_are_refused():
    model = SmallModel()
    check(model, dict(state_dict=state()), 'good.pth')
    check(model, state(), 'bare.pth')
    nan = {**state(), 'head.bias': torch.tensor([0, float('nan')])}
    cases = {
        'wrong.pth': ({'other.weight': torch.ones(2)}, 'lacks 4 of the 4 weights'),
        'empty.pth': ({}, 'lacks 4 of the 4 weights'),
        'partial.pth': (without('head'), r'lacks 2 of the 4 weights.*head.*--allow-partial'),
        'classes.pth': (SmallModel(5).state_dict(), r'lacks 2 of the 4 weights.*head'),
        'nan.pth': (nan, r'not finite, such as head\.bias'),
    }
    for name, (weights, words) in cases.items():
        with pytest.raises(CheckpointError, match=f'{name} .*{words}'):
            check(model, dict(state_dict=weights), name)
    check(model, dict(state_dict=without('head')), 'partial.pth', allow_partial=True)
    with pytest.raises(CheckpointError, match='not finite'):
        check(model, dict(state_dict=nan), 'nan.pth', allow_partial=True)


def test_training_may_start_from_a_backbone_but_not_from_nothing():
    model = SmallModel()
    check(model, without('head'), 'pretrained.pth', training=True)
    check(model, SmallModel(5).state_dict(), 'classes.pth', training=True)
    for weights in ({}, {'other': torch.ones(1)}, without('backbone')):
        with pytest.raises(CheckpointError, match='lacks'):
            check(model, weights, 'wrong.pth', training=True)


def test_training_may_start_from_a_stock_model_with_a_saliency_that_is_to_learn():
    model = SmallModel()
    model.data_preprocessor = LearnedSaliency()
    check(model, state(), 'stock.pth', training=True)
    with pytest.raises(CheckpointError, match=r'such as data_preprocessor\.backbone'):
        check(model, state(), 'stock.pth')


def test_the_runner_refuses_what_it_is_told_to_load(tmp_path):
    torch.save(dict(state_dict={}), tmp_path / 'empty.pth')
    with pytest.raises(CheckpointError, match=r'empty\.pth lacks 4'):
        train(tmp_path / 'work', load_from=str(tmp_path / 'empty.pth'))


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={'w': torch.arange(5000.0)}), path)
    good = path.read_bytes()
    middle = len(good) // 2
    damaged = {
        'flipped bit': good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        'cut': good[:middle],
        'empty': b'',
        'text': b'<html>404</html>',
    }
    read_checkpoint(str(path))
    for kind, content in damaged.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r'weights\.pth') as caught:
            read_checkpoint(str(path))
        assert 'weights_only' not in str(caught.value), kind
    with pytest.raises(CheckpointError, match='no checkpoint at'):
        read_checkpoint(str(tmp_path / 'none.pth'))


class Objects:
    """Pickles as the scalar of an array of objects, which numpy reads from memory it is not."""

    def __reduce__(self):
        return np.float64().__reduce__()[0], (np.dtype('O'), b'\x01' * 8)


def test_an_array_of_objects_is_refused_before_it_ends_the_process(tmp_path):
    path = tmp_path / 'hostile.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps({'state_dict': Objects()}, 2))
        archive.writestr('archive/version', '3\n')
        archive.writestr('archive/byteorder', 'little')
    process = start(refuse, str(path))
    process.join()
    assert process.exitcode == 0  # no signal


def refuse(path):
    with pytest.raises(CheckpointError, match=r'hostile\.pth'):
        read_checkpoint(path)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    reached = 0
    for seed in range(10):
        process = start(go_on, str(tmp_path))
        while latest_number(tmp_path) <= reached and process.is_alive():
            time.sleep(0.01)
        time.sleep(random.Random(seed).random())
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        found = latest_checkpoint(str(tmp_path))
        assert int(Path(found).stem.split('_')[1]) > reached
        reached = latest_number(tmp_path)


def go_on(work_dir):
    path = latest_checkpoint(work_dir)
    train(work_dir, 100000, **(dict(resume=True, load_from=path) if path else {}))


def latest_number(folder):
    numbers = [int(path.stem.split('_')[1]) for path in folder.glob('epoch_*.pth')]
    return max(numbers, default=0)
