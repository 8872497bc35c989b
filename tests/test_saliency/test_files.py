import pickle

import numpy as np
import pytest
import torch

from lzu_mm.saliency.files import check_saliency, load_saliency, save_saliency


def test_round_trip_keeps_the_map_and_its_notes(tmp_path):
    saliency = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]])
    notes = {'dataset': 'CocoDataset', 'bandwidth': 64.0, 'grid_shape': [2, 3], 'images': 7}
    path = save_saliency(tmp_path / 'new' / 'folder' / 's.npz', saliency, notes)
    loaded, info = load_saliency(path)
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(loaded, saliency / 8)
    assert info == notes


def test_bare_map_is_normalised(tmp_path):
    np.save(tmp_path / 's.npy', np.array([[1, 0], [0, 3]], dtype=np.float64))
    loaded, info = load_saliency(tmp_path / 's.npy')
    assert loaded.tolist() == [[0.25, 0.0], [0.0, 0.75]]
    assert info == {}


def test_zeros_become_uniform(tmp_path):
    np.save(tmp_path / 's.npy', np.zeros((2, 4)))
    assert load_saliency(tmp_path / 's.npy')[0].tolist() == [[0.125] * 4] * 2


def test_map_of_the_authors(shared_data):
    saliency, _ = load_saliency(shared_data / 'nuscenes_saliency_27x48.npy')
    assert saliency.shape == (27, 48)
    assert saliency.sum().item() == pytest.approx(1)


def test_missing_file_names_setting_and_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'saliency\.path.*lzu-mm compute-saliency'):
        load_saliency(tmp_path / 'absent.npz')


@pytest.mark.parametrize(
    ('array', 'complaint'),
    [
        (np.ones((1, 3, 3)), 'at least 2x2'),
        (np.ones((1, 3)), 'at least 2x2'),
        (np.array([[1, -1], [1, 1]]), 'non-negative'),
        (np.array([[1, np.nan], [1, 1]]), 'NaN'),
        (np.array([[1, np.inf], [1, 1]]), 'infinite'),
        (np.array([['a', 'b'], ['c', 'd']]), 'real numbers'),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, array, complaint):
    np.save(tmp_path / 's.npy', array)
    with pytest.raises(ValueError, match=rf'saliency\.path.*{complaint}.*compute-saliency'):
        load_saliency(tmp_path / 's.npy')


def test_npz_without_the_key_is_refused(tmp_path):
    np.savez(tmp_path / 's.npz', heat=np.ones((3, 3)))
    with pytest.raises(ValueError, match="no key 'saliency', only \\['heat'\\]"):
        load_saliency(tmp_path / 's.npz')


@pytest.mark.parametrize('content', [b'', b'{"saliency": 1}', b'PK broken archive'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / 's.npz').write_bytes(content)
    with pytest.raises(ValueError, match=r'saliency\.path'):
        load_saliency(tmp_path / 's.npz')


def test_pickles_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / 'sprung'), 'w'))

    (tmp_path / 's.npz').write_bytes(pickle.dumps(Trap()))
    np.save(tmp_path / 't.npy', np.array([[Trap()] * 2] * 2), allow_pickle=True)
    for name in ('s.npz', 't.npy'):
        with pytest.raises(ValueError, match=r'saliency\.path'):
            load_saliency(tmp_path / name)
    assert not (tmp_path / 'sprung').exists()


def test_save_refuses_what_it_could_not_read_back(tmp_path):
    with pytest.raises(ValueError, match=r'\.npz'):
        save_saliency(tmp_path / 's.npy', np.ones((2, 2)), {})
    with pytest.raises(ValueError, match='model'):
        save_saliency(tmp_path / 's.npz', np.ones((2, 2)), {'model': object()})
    with pytest.raises(ValueError, match='saliency'):
        save_saliency(tmp_path / 's.npz', np.ones((2, 2)), {'saliency': 1})
    assert not any(tmp_path.iterdir())


def test_small_values_keep_their_proportions():
    tiny = np.array([[1e-30, 3e-30], [0, 0]], dtype=np.float32)
    assert check_saliency(tiny).tolist() == [[0.25, 0.75], [0, 0]]
