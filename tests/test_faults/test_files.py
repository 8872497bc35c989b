"""Files from outside are read within bounds, and ours are written whole or not at all."""

import io
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu_mm.engine import load_config
from lzu_mm.files import check_writable, replacing
from lzu_mm.saliency import load_saliency, save_saliency
from lzu_mm.saliency.pickled import load_pickled_tensor

from .processes import full_disk


@pytest.fixture
def good(tmp_path):
    return save_saliency(tmp_path / 'map.npz', torch.rand(9, 16), {'split': 'train'})


def header(shape, dtype='<f8'):
    """A .npy file of which only the header is there."""
    file = io.BytesIO()
    description = {'descr': dtype, 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue()


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f'{name}.npy', content)
    return file.getvalue()


PICKLE = pickle.dumps(torch.ones(3, 4))
BOMBS = {
    'header.npy': header((10**6, 10**6)),
    'overflow.npy': header((2**40, 2**40)),
    'header.npz': zipped(saliency=header((10**6, 10**6))),
    'zeros.npz': zipped(saliency=header((2**14, 2**14)) + bytes(2**28)),
    'note.npz': zipped(saliency=header((2, 2)) + bytes(32), note=header((10**9,))),
    'many.npz': zipped(**{f'a{i}': header((2, 2)) + bytes(32) for i in range(101)}),
}


@pytest.mark.parametrize('name', BOMBS)
def test_bombs_are_refused_by_their_headers(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BOMBS[name])
    with pytest.raises(ValueError, match=f'cannot use .*{name}.*(at most|more than)'):
        load_saliency(path)


def message_of(read, name, content):
    """The name, if the reader's ValueError tells it; None if there is no error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            read(path)
        except ValueError as error:
            return name if str(path) in str(error) else str(error)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_saliency_files_are_one_kind_of_error(data):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, saliency=np.ones((5, 7), np.float32), note='x')
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    assert message_of(load_saliency, 'damaged.npz', content) in (None, 'damaged.npz')


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_pickles_are_one_kind_of_error(data):
    content = bytearray(PICKLE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert message_of(load_pickled_tensor, 'damaged.pkl', content) in (None, 'damaged.pkl')


def test_a_failed_write_leaves_the_old_file(good):
    before = good.read_bytes()

    def fail():
        with replacing(good) as draft:
            draft.write_bytes(b'half')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == ['map.npz']


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')  # of zipfile
def test_a_full_disk_leaves_the_old_map(good):
    """The disk is as full as a limit on the size of files makes it."""
    before = good.read_bytes()
    with full_disk(), pytest.raises(OSError, match='File too large'):
        save_saliency(good, torch.rand(100, 100), {})
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == ['map.npz']


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / 'target.txt', tmp_path / 'link.txt'
    target.write_text('old')
    link.symlink_to(target)
    with replacing(link) as draft:
        draft.write_text('new')
    assert link.is_symlink()
    assert target.read_text() == 'new'


def test_what_cannot_be_written_is_noticed(tmp_path):
    (tmp_path / 'file').write_text('')
    check_writable(tmp_path / 'new' / 'map.npz')
    assert not list((tmp_path / 'new').iterdir())
    with pytest.raises(OSError, match='file'):
        check_writable(tmp_path / 'file' / 'map.npz')
    with pytest.raises(OSError, match='is a folder'):
        check_writable(tmp_path)


def test_a_yaml_base_runs_no_code(tmp_path):
    mark = tmp_path / 'ran'
    base = tmp_path / 'base.yaml'
    base.write_text(f'a: !!python/object/apply:os.mkdir ["{mark}"]\n')
    (tmp_path / 'config.py').write_text("_base_ = './base.yaml'\n")
    for path in ('base.yaml', 'config.py'):
        with pytest.raises(yaml.YAMLError, match='python/object'):
            load_config(str(tmp_path / path))
    assert not mark.exists()
    base.write_text('a: [1, 2]\n')
    assert load_config(str(tmp_path / 'config.py')).a == [1, 2]
