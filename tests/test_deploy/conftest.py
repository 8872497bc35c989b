import numpy as np
import pytest

from lzu_mm.saliency import save_saliency


@pytest.fixture(scope='session')
def saliency(tmp_path_factory):
    values = np.random.default_rng(0).random((31, 51), dtype=np.float32)
    values[8:14, 30:40] += 8
    path = tmp_path_factory.mktemp('saliency') / 'map.npz'
    save_saliency(path, values, {})
    return dict(type='lzu_mm.FixedSaliency', path=str(path))
