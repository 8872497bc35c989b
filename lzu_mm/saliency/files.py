"""Saliency files: one map (h_S, w_S) and what it was made from.

A saliency file is a ``.npz`` with the key ``saliency``, float32 and summing to 1, beside notes
of its writer (dataset, split, image size, method, parameters), or a bare ``.npy`` map, as other
code may write. Neither is ever unpickled.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Mapping
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor

from ..files import replacing

__all__ = ['check_saliency', 'load_saliency', 'save_saliency']

_KEY = 'saliency'
_MOST_ARRAYS = 100
_MOST_BYTES = 2**26
_LIMIT = f'a saliency file holds at most {_MOST_BYTES} bytes an array'
_REMEDY = (
    "Set 'saliency.path' in the 'zoom' of the data preprocessor to a saliency file, or make one "
    'with: lzu-mm compute-saliency CONFIG'
)


def check_saliency(saliency: np.ndarray) -> np.ndarray:
    """Checks that an array is a saliency map and normalises it.

    Args:
        saliency: (h_S, w_S), at least 2x2, finite, non-negative, of any real type.

    Returns:
        (h_S, w_S) float32 summing to 1. A map of zeros becomes uniform.

    Raises:
        ValueError: if it is not such a map; the message says why.

    Example:
        >>> check_saliency(np.array([[3, 1], [0, 0]]))
        array([[0.75, 0.25],
               [0.  , 0.  ]], dtype=float32)
    """
    array = np.asarray(saliency)
    if array.dtype.kind not in 'fiub':
        raise ValueError(f'a saliency map holds real numbers, not {array.dtype}')
    if array.ndim != 2 or min(array.shape) < 2:
        raise ValueError(f'a saliency map is (h_S, w_S), at least 2x2; this one is {array.shape}')
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError('a saliency map is finite; this one has NaN or infinite cells')
    if (array < 0).any():
        raise ValueError(f'a saliency map is non-negative; this one reaches {array.min():.3g}')
    total = array.sum()
    array = array / total if total > 0 else np.full_like(array, 1 / array.size)
    return array.astype(np.float32)


def load_saliency(path: str | Path) -> tuple[Tensor, dict[str, Any]]:
    """Reads a saliency file.

    Args:
        path: a ``.npz`` written by :func:`save_saliency`, or a bare ``.npy`` map.

    Returns:
        The map, (h_S, w_S) float32 summing to 1, and what it was made from (empty for ``.npy``).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file holds no saliency map.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f'{folder}/map.npy', [[3, 1], [0, 0]])
        ...     load_saliency(f'{folder}/map.npy')
        (tensor([[0.7500, 0.2500],
                [0.0000, 0.0000]]), {})
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'saliency.path: there is no saliency file {path}. {_REMEDY}')
    try:
        array, info = _read(path)
        return torch.from_numpy(check_saliency(array)), info
    # A damaged file may fail in any way.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f'saliency.path: cannot use {path}: {reason}. {_REMEDY}') from error


def save_saliency(path: str | Path, saliency: Tensor | np.ndarray, info: Mapping[str, Any]) -> Path:
    """Writes a saliency file.

    Args:
        path: where to; ends in ``.npz``. Missing folders are made.
        saliency: (h_S, w_S), non-negative; normalised to sum 1 on the way.
        info: what the map was made from: strings, numbers, and flat sequences of either.

    Returns:
        The path written.

    Raises:
        ValueError: if it is not a saliency map, the name does not end in ``.npz``, or a value of
            ``info`` could not be read back without pickle.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_saliency(f'{folder}/map.npz', torch.ones(2, 2), {'split': 'train'})
        ...     load_saliency(path)
        (tensor([[0.2500, 0.2500],
                [0.2500, 0.2500]]), {'split': 'train'})
    """
    path = Path(path)
    if path.suffix != '.npz':
        raise ValueError(f'a saliency file ends in .npz; got {path}')
    if isinstance(saliency, Tensor):
        saliency = saliency.detach().cpu().numpy()
    arrays = {key: np.asarray(value) for key, value in info.items()}
    unreadable = [
        key for key, array in arrays.items() if array.dtype.kind not in 'fiubU' or key == _KEY
    ]
    if unreadable:
        raise ValueError(f'the notes of a saliency file are strings and numbers; see {unreadable}')
    contents: dict[str, Any] = {_KEY: check_saliency(saliency), **arrays}
    with replacing(path) as draft, draft.open('wb') as file:
        np.savez_compressed(file, **contents)
    return path


def _read(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    with path.open('rb') as file:
        start = file.read(6)
    if not start.startswith((b'PK', b'\x93NUMPY')):
        raise ValueError('it is neither .npz nor .npy')
    _refuse_bomb(path, zipped=start.startswith(b'PK'))
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return content, {}
    with content:
        if _KEY not in content.files:
            raise ValueError(f"it has no key '{_KEY}', only {content.files}")
        info = {key: content[key].tolist() for key in content.files if key != _KEY}
        return content[_KEY], info


def _refuse_bomb(path: Path, zipped: bool) -> None:
    """Look at the sizes in the headers before anything is read."""
    if not zipped:
        with path.open('rb') as file:
            _check_array_size(file, 'its array')
        return
    with ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MOST_ARRAYS:
            raise ValueError(f'it holds {len(members)} arrays, more than {_MOST_ARRAYS}')
        for member in members:
            if member.file_size > _MOST_BYTES:
                raise ValueError(f'{member.filename} has {member.file_size} bytes; {_LIMIT}')
            with archive.open(member) as file:
                _check_array_size(file, member.filename)


def _check_array_size(file: Any, name: str) -> None:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if math.prod(shape) * dtype.itemsize > _MOST_BYTES:
        raise ValueError(f'{name} is of shape {shape}; {_LIMIT}')
