"""Joining over gloo on machines without a GPU."""

import os

import pytest
import torch.distributed
from mmengine.config import Config

from lzu_mm.engine import dist, prepare_cpu_dist


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(dist, 'get_device', lambda: 'cpu')


@pytest.fixture
def joined(monkeypatch):
    """Record what the process group is made with, instead of making one."""
    calls = []
    monkeypatch.setattr(
        torch.distributed,
        'init_process_group',
        lambda *args, **kwargs: calls.append((args, kwargs)),
    )
    return calls


@pytest.fixture
def environment(monkeypatch):
    """An environment without the variables of any launcher; what is set in it is undone."""
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, 'to be restored')
        monkeypatch.delenv(name)
    return monkeypatch


def test_nothing_happens_without_a_launcher(no_gpu, joined):
    cfg = Config(dict(launcher='none'))
    prepare_cpu_dist(cfg)
    assert not joined
    assert 'model_wrapper_cfg' not in cfg


def test_nothing_happens_on_a_gpu(monkeypatch, joined):
    monkeypatch.setattr(dist, 'get_device', lambda: 'cuda')
    cfg = Config(dict(launcher='pytorch'))
    prepare_cpu_dist(cfg)
    assert not joined
    assert 'model_wrapper_cfg' not in cfg


def test_missing_variables_are_named(no_gpu, joined, environment):
    with pytest.raises(RuntimeError, match=r'RANK, WORLD_SIZE, LOCAL_RANK.*dist_train\.sh'):
        prepare_cpu_dist(Config(dict(launcher='pytorch')))
    assert not joined


def test_variables_of_mpi_become_those_of_torch(no_gpu, joined, environment):
    environment.setenv('OMPI_COMM_WORLD_RANK', '3')
    environment.setenv('OMPI_COMM_WORLD_SIZE', '4')
    environment.setenv('OMPI_COMM_WORLD_LOCAL_RANK', '1')
    prepare_cpu_dist(Config(dict(launcher='mpi', env_cfg=dict(dist_cfg=dict(timeout=60)))))

    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
    assert [os.environ[name] for name in names] == ['3', '4', '1', '127.0.0.1', '29500']
    (backend,), kwargs = joined[0]
    assert backend == 'gloo'
    assert kwargs['timeout'].total_seconds() == 60


def test_wrapper_of_the_user_is_kept(no_gpu, joined, environment):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        environment.setenv(name, '1')
    wrapper = dict(type='MMDistributedDataParallel', static_graph=True)
    cfg = Config(dict(launcher='pytorch', model_wrapper_cfg=wrapper))
    prepare_cpu_dist(cfg)
    assert cfg.model_wrapper_cfg == dict(wrapper, device_ids=None)


def test_unused_parameters_are_looked_for_as_configured(no_gpu, joined, environment):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        environment.setenv(name, '1')
    cfg = Config(dict(launcher='pytorch', find_unused_parameters=True))
    prepare_cpu_dist(cfg)
    assert cfg.model_wrapper_cfg.find_unused_parameters is True
