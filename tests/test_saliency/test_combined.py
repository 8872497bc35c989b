import numpy as np
import pytest
import torch
from mmengine.registry import MODELS


@pytest.fixture
def maps(tmp_path):
    generator = np.random.default_rng(0)
    arrays = [generator.random((4, 6)) ** 3 for _ in range(2)]
    for i, array in enumerate(arrays):
        np.save(tmp_path / f'{i}.npy', array)
    members = [dict(type='FixedSaliency', path=str(tmp_path / f'{i}.npy')) for i in range(2)]
    return members, [torch.from_numpy(array / array.sum()).float() for array in arrays]


def look(**kwargs):
    module = MODELS.build(dict(type='lzu_mm.CombinedSaliency', **kwargs))
    return module([torch.zeros(3, 8, 8)] * 2, None, False)


def test_weighted_sum_of_normalised_maps(maps):
    members, (one, other) = maps
    expected = (0.25 * one + 0.75 * other).expand(2, 1, -1, -1)
    torch.testing.assert_close(look(members=members, weights=[1, 3]), expected)
    torch.testing.assert_close(look(members=members)[0, 0], (one + other) / 2)


def test_maps_of_other_shapes_are_resized(maps):
    members, (one, _) = maps
    found = look(members=[dict(type='UniformSaliency'), members[0]])
    torch.testing.assert_close(found[0, 0], 0.5 * one + 0.5 / 24)


@pytest.mark.parametrize('weights', [[1], [1, -1], [0, 0]])
def test_bad_weights_are_named(maps, weights):
    with pytest.raises(ValueError, match=r'saliency\.weights'):
        look(members=maps[0], weights=weights)
