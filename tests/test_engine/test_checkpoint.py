"""The allow-list of the safe loader: what mmengine writes is read, anything else is refused."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import checkpoint as runner_checkpoint
from mmengine.utils import digit_version

from lzu_mm.engine import allow_mmengine_checkpoints

pytestmark = pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.6.0'),
    reason='before torch 2.6 torch.load has no allow-list by default',
)


@pytest.fixture(autouse=True, scope='module')
def _allowed():
    allow_mmengine_checkpoints()


class Unlisted:
    """A class that no checkpoint of mmengine holds."""


class Attribute:
    """Pickles as `getattr(owner, name)`, as the methods of HistoryBuffer do."""

    def __init__(self, owner, name):
        self.call = getattr, (owner, name)

    def __reduce__(self):
        return self.call


def reload(content, path):
    torch.save(content, path)
    return torch.load(path)


def test_message_hub_comes_back(tmp_path):
    hub = MessageHub('test_message_hub_comes_back')
    hub.update_scalar('train/loss', 1.5)
    hub.update_scalar('train/loss', 2.5, 3)
    hub.update_info('best_score', np.float32(0.25))
    hub.update_info('steps', [np.int64(7), np.bool_(True)])

    state = reload(hub.state_dict(), tmp_path / 'hub.pth')

    loss = state['log_scalars']['train/loss']
    assert isinstance(loss, HistoryBuffer)
    values, counts = loss.data
    assert values.tolist() == [1.5, 2.5]
    assert counts.tolist() == [1, 3]
    assert loss.statistics('mean') == pytest.approx((1.5 + 2.5) / 4)
    assert state['runtime_info']['best_score'] == 0.25
    assert state['runtime_info']['steps'] == [7, True]


@pytest.mark.parametrize('module', ['numpy.core.multiarray', 'numpy._core.multiarray'])
def test_names_of_numpy_1_and_2_are_allowed(module):
    names = [item[1] for item in torch.serialization.get_safe_globals() if isinstance(item, tuple)]
    assert f'{module}._reconstruct' in names
    assert f'{module}.scalar' in names


def test_unlisted_class_is_refused(tmp_path):
    with pytest.raises(pickle.UnpicklingError, match='Unlisted'):
        reload({'meta': Unlisted()}, tmp_path / 'unlisted.pth')


@pytest.mark.parametrize(
    ('owner', 'name'),
    [(HistoryBuffer, '__init__'), (HistoryBuffer, '__subclasses__'), (np.ndarray, 'min')],
)
def test_getattr_reaches_nothing_but_the_statistics(tmp_path, owner, name):
    with pytest.raises(pickle.UnpicklingError, match=name):
        reload(Attribute(owner, name), tmp_path / 'attribute.pth')


def test_exactly_what_mmengine_writes_is_allowed():
    script = (
        'import torch.distributed.tensor  # allows types of its own\n'
        'before = set(torch.serialization.get_safe_globals())\n'
        'import lzu_mm.engine\n'
        'assert set(torch.serialization.get_safe_globals()) == before\n'
        'import lzu_mm.engine.stock_tools\n'
        'added = set(torch.serialization.get_safe_globals()) - before\n'
        'name = lambda item: item[1] if isinstance(item, tuple) else item.__qualname__\n'
        'print(*sorted(map(name, added)))\n'
    )
    output = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', script], check=True, capture_output=True, text=True
    ).stdout
    dtypes = {type(np.dtype(d)).__qualname__ for d in ('f8', 'f4', 'f2', 'i8', 'i4', '?')}
    numpy = {
        f'numpy.{core}.multiarray.{name}'
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    }
    expected = {'HistoryBuffer', 'builtins.getattr', 'ndarray', 'numpy.dtype'} | dtypes | numpy
    assert set(output.split()) == expected


def test_the_forks_unsafe_way_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(runner_checkpoint, '_safe_torch_load', unsafe_load, raising=False)
    torch.save(dict(state_dict={}, run=os.getcwd), tmp_path / 'hostile.pth')
    allow_mmengine_checkpoints()
    with pytest.raises(pickle.UnpicklingError):
        runner_checkpoint._safe_torch_load(tmp_path / 'hostile.pth', map_location='cpu')


def unsafe_load(file, map_location=None, weights_only=None):
    return torch.load(file, map_location=map_location, weights_only=False)
