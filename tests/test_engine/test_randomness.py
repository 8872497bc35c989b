"""Resumed trainings draw the numbers that they would have drawn without the interruption."""

import os
import random
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS, MODELS

from lzu_mm.engine import build_runner, read_checkpoint, resume_with_seed
from lzu_mm.engine.randomness import _RestoringAfter

from ..test_faults.processes import start
from ..test_faults.test_checkpoints import SmallModel, config
from ..test_tools.launching import free_port


@MODELS.register_module(force=True)
class DrawingModel(SmallModel):
    """A model that draws from all generators, and from one of its own."""

    def __init__(self):
        super().__init__()
        self.draws = random.Random(0)

    def forward(self, inputs, mode='tensor'):
        noise = self.draws.random() + random.random() + np.random.rand()
        points = torch.nn.functional.dropout(torch.stack(inputs), 0.5)
        return {'loss': (self.head(self.backbone(points)) - noise).square().mean()}

    def val_step(self, data):
        self(data['inputs'])
        return [{}]


@METRICS.register_module(force=True)
class Batches(BaseMetric):
    """Counts batches."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(batches=len(results))


def training(work_dir, by_epoch=True, workers=0, **changes):
    cfg = config(work_dir)
    cfg.model = dict(type='DrawingModel')
    cfg.train_dataloader.num_workers = workers
    cfg.val_dataloader = deepcopy(cfg.train_dataloader)
    cfg.update(val_cfg=dict(), val_evaluator=dict(type='Batches'))
    every = 1 if by_epoch else 3
    cfg.default_hooks.checkpoint.update(max_keep_ckpts=-1, by_epoch=by_epoch, interval=every)
    if not by_epoch:
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=9, val_interval=1)
        cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
        cfg.log_processor = dict(by_epoch=False)
    cfg.update(changes)
    return cfg


def weights(cfg):
    runner = build_runner(cfg)
    runner.train()
    return runner.model.state_dict()


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('by_epoch', [True, False])
def test_the_weights_are_those_of_a_training_that_was_not_interrupted(tmp_path, by_epoch, workers):
    whole = weights(training(tmp_path / 'whole', by_epoch, workers))
    middle = tmp_path / 'whole' / ('epoch_2.pth' if by_epoch else 'iter_6.pth')
    begun = read_checkpoint(str(middle))['state_dict']
    assert any(not torch.equal(begun[name], whole[name]) for name in whole)
    random.seed(1)
    cfg = training(tmp_path / 'rest', by_epoch, workers, resume=True, load_from=str(middle))
    for name, found in weights(cfg).items():
        assert torch.equal(found, whole[name]), name


def test_each_process_gets_its_own_states_back(tmp_path):
    whole, rest = tmp_path / 'whole', tmp_path / 'rest'
    train_in_two(whole)
    train_in_two(rest, resume=True, load_from=str(whole / 'epoch_2.pth'))
    before, after = (read_checkpoint(str(path / 'epoch_3.pth')) for path in (whole, rest))
    first, second = before['meta']['random_states']
    assert not torch.equal(first['torch'], second['torch'])
    for name, found in after['state_dict'].items():
        assert torch.equal(found, before['state_dict'][name]), name


def train_in_two(work_dir, **changes):
    port = free_port()
    ranks = [start(train_rank, work_dir, rank, port, changes) for rank in range(2)]
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]


def train_rank(work_dir, rank, port, changes):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1', MASTER_PORT=port,
    )  # fmt: skip
    randomness = dict(seed=0, diff_rank_seed=True)
    weights(training(work_dir, launcher='pytorch', randomness=randomness, **changes))


def test_validation_does_not_change_the_training(tmp_path):
    often = weights(training(tmp_path / 'often'))
    cfg = training(tmp_path / 'never')
    cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    for name, found in weights(cfg).items():
        assert torch.equal(found, often[name]), name


def test_a_training_without_a_seed_resumes_with_the_one_that_it_drew(tmp_path):
    whole = weights(training(tmp_path / 'whole', randomness=dict(seed=None)))
    middle = str(tmp_path / 'whole' / 'epoch_1.pth')
    cfg = training(tmp_path / 'rest', randomness=dict(seed=None), resume=True, load_from=middle)
    resume_with_seed(cfg, read_checkpoint(middle)['meta']['seed'])
    for name, found in weights(cfg).items():
        assert torch.equal(found, whole[name]), name


def test_the_seed_of_the_checkpoint_counts():
    cfg = Config(dict(randomness=dict(seed=1, deterministic=True)))
    resume_with_seed(cfg, None)
    assert cfg.randomness.seed == 1
    resume_with_seed(cfg, 2)
    assert cfg.randomness == dict(seed=2, deterministic=True)


def test_checkpoints_of_stock_trainings_resume_as_well(tmp_path):
    path = tmp_path / 'whole' / 'epoch_1.pth'
    weights(training(tmp_path / 'whole'))
    checkpoint = read_checkpoint(str(path))
    del checkpoint['meta']['random_states']
    torch.save(checkpoint, path)
    runner = build_runner(training(tmp_path / 'rest', resume=True, load_from=str(path)))
    runner.train()
    assert runner.epoch == 3


def test_states_are_restored_after_the_skipping_of_the_fork_too():
    restored = []
    batches = _RestoringAfter(iter(range(5)), 2, lambda: restored.append(True))
    batches.skip_iter(2)
    assert not restored
    assert [next(batches), next(batches)] == [2, 3]
    assert restored == [True]
