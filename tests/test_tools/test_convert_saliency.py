import collections
import os
import pickle
import runpy
import sys

import numpy as np
import pytest
import torch

from lzu_mm.saliency import load_saliency

from .launching import ROOT


def convert(*arguments):
    """Runs the tool as from the command line; the message it ends with, if any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['convert_saliency.py', *map(str, arguments)])
        try:
            runpy.run_path(str(ROOT / 'tools' / 'convert_saliency.py'), run_name='__main__')
        except SystemExit as end:
            return str(end)
    return ''


def on_cuda(content):
    """The same bytes as if the tensor had lived on a GPU."""
    moved = content.replace(b'X\x03\x00\x00\x00cpu', b'X\x06\x00\x00\x00cuda:0')
    assert moved != content
    return moved


class CudaTensor:
    """Pickles as a tensor on a GPU does."""

    def __init__(self, tensor):
        function, (storage, *rest) = tensor.__reduce_ex__(2)
        load, (content,) = storage.__reduce__()
        self.reduced = function, (_Storage(load, on_cuda(content)), *rest)

    def __reduce__(self):
        return self.reduced


class _Storage:
    def __init__(self, load, content):
        self.reduced = load, (content,)

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def saliency():
    return torch.rand(27, 48) + 0.1


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_cuda_tensor(tmp_path, saliency, protocol):
    content = pickle.dumps(CudaTensor(saliency), protocol=protocol)
    assert b'cuda:0' in content
    (tmp_path / 'saliency.pkl').write_bytes(content)
    out = tmp_path / 'folder' / 'saliency.npz'
    assert convert(tmp_path / 'saliency.pkl', out, '--info', 'dataset=nuScenes') == ''
    found, info = load_saliency(out)
    torch.testing.assert_close(found, saliency / saliency.sum())
    assert info == {'method': 'converted', 'source': 'saliency.pkl', 'dataset': 'nuScenes'}


@pytest.mark.parametrize('zipped', [True, False])
def test_file_of_torch_save(tmp_path, saliency, zipped):
    path = tmp_path / 'saliency.pth'
    torch.save(saliency.double(), path, _use_new_zipfile_serialization=zipped)
    if not zipped:
        path.write_bytes(on_cuda(path.read_bytes()))
    assert convert(path, tmp_path / 'out.npz') == ''
    found, _ = load_saliency(tmp_path / 'out.npz')
    torch.testing.assert_close(found, saliency / saliency.sum())


def test_leading_dimensions_of_one_and_strides(tmp_path, saliency):
    (tmp_path / 'in.pkl').write_bytes(pickle.dumps(CudaTensor(saliency.T[None, None, 3:])))
    assert convert(tmp_path / 'in.pkl', tmp_path / 'out.npz') == ''
    found, _ = load_saliency(tmp_path / 'out.npz')
    expected = saliency.T[3:]
    torch.testing.assert_close(found, expected / expected.sum())


def test_the_authors_map_comes_out_as_it_is(tmp_path, shared_data):
    original = np.load(shared_data / 'nuscenes_saliency_27x48.npy')
    content = pickle.dumps(CudaTensor(torch.from_numpy(original)))
    (tmp_path / 'saliency.pkl').write_bytes(content)
    assert convert(tmp_path / 'saliency.pkl', tmp_path / 'out.npz') == ''
    np.testing.assert_allclose(load_saliency(tmp_path / 'out.npz')[0].numpy(), original, rtol=1e-6)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize('wrap', [lambda x: x, lambda x: {'saliency': [x]}, CudaTensor])
def test_code_in_the_file_is_not_run(tmp_path, saliency, wrap):
    trap = Malicious(str(tmp_path / 'trapped'))
    if wrap is CudaTensor:
        # In the bytes of the storage, where torch.load would run it.
        nested = CudaTensor(saliency)
        nested.reduced[1][0].reduced = (torch.storage._load_from_bytes, (pickle.dumps(trap),))
        content = pickle.dumps(nested)
    else:
        content = pickle.dumps(wrap(trap))
    (tmp_path / 'in.pkl').write_bytes(content)
    message = convert(tmp_path / 'in.pkl', tmp_path / 'out.npz')
    assert 'safely' in message
    assert not (tmp_path / 'trapped').exists()
    assert not (tmp_path / 'out.npz').exists()
    if wrap is not CudaTensor:
        # The trap does work.
        pickle.loads(content)
        assert (tmp_path / 'trapped').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (pickle.dumps(torch.ones(2, 5, 5)), r'\(2, 5, 5\)'),
        (pickle.dumps(torch.ones(7)), r'\(7,\)'),
        (pickle.dumps(-torch.ones(3, 3)), 'non-negative'),
        (pickle.dumps(torch.full((3, 3), float('nan'))), 'NaN'),
        (pickle.dumps(collections.OrderedDict(a=1)), 'holds no tensor, but .* OrderedDict'),
        (pickle.dumps(np.ones((3, 3))), 'it asks for numpy'),
        (pickle.dumps(torch.ones(3, 3))[:-50], 'no pickled tensor'),
        (b'', 'no pickled tensor'),
        (b'\x93NUMPY', 'no pickled tensor'),
    ],
)
def test_what_is_no_saliency_is_refused(tmp_path, content, message):
    (tmp_path / 'in.pkl').write_bytes(content)
    found = convert(tmp_path / 'in.pkl', tmp_path / 'out.npz')
    assert found.startswith('error: ')
    with pytest.raises(SystemExit, match=message):
        raise SystemExit(found)
    assert not (tmp_path / 'out.npz').exists()


def test_nothing_is_replaced_in_silence(tmp_path, saliency):
    (tmp_path / 'in.pkl').write_bytes(pickle.dumps(saliency))
    out = tmp_path / 'out.npz'
    out.write_text('mine')
    assert '--overwrite' in convert(tmp_path / 'in.pkl', out)
    assert out.read_text() == 'mine'
    assert convert(tmp_path / 'in.pkl', out, '--overwrite') == ''
    torch.testing.assert_close(load_saliency(out)[0], saliency / saliency.sum())
    assert 'no file' in convert(tmp_path / 'none.pkl', tmp_path / 'other.npz')
    assert '.npz' in convert(tmp_path / 'in.pkl', tmp_path / 'other.npy')
