"""Reading a pickled tensor, such as the LZU authors' ``saliency.pkl``, without running its code.

A pickle names the functions that rebuild its content, and could name any. Here it may name those
that rebuild a tensor, and no other. A tensor holds its numbers as the bytes of a ``torch.save``
inside the pickle, marked with the device they came from; they are read with the safe loader of
torch, onto the CPU. Files that ``torch.save`` wrote are read as well.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor
from torch.serialization import MAGIC_NUMBER

__all__ = ['load_pickled_tensor']


def load_pickled_tensor(path: str | Path) -> Tensor:
    """Reads a tensor that ``pickle.dump`` or ``torch.save`` wrote, from any device, onto the CPU.

    Args:
        path: the file.

    Returns:
        The tensor.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file holds something else, or asks for code that rebuilds no tensor.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no file {path}')
    try:
        content = _load_saved(path) if is_zipfile(path) else _unpickle(path)
    # A damaged pickle may fail in any way.
    except Exception as error:
        raise ValueError(f'{path} is no pickled tensor that can be read safely: {error}') from error
    if not isinstance(content, Tensor):
        raise ValueError(f'{path} holds no tensor, but an object of type {type(content).__name__}')
    return content.detach()


def _unpickle(path: Path) -> Any:
    with path.open('rb') as file:
        content = _TensorUnpickler(file).load()
    # Before its zip format, torch.save put this number first.
    return _load_saved(path) if isinstance(content, int) and content == MAGIC_NUMBER else content


def _load_saved(file: Path | io.BytesIO) -> Any:
    try:
        return torch.load(file, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        # The message of torch goes on to say how to load the file unsafely.
        raise pickle.UnpicklingError('it is damaged, or holds more than a tensor') from error


def _load_from_bytes(content: bytes) -> Any:
    return _load_saved(io.BytesIO(content))


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'its bytes are encoded as {encoding}')
    return text.encode(encoding)


class _TensorUnpickler(pickle.Unpickler):
    _ALLOWED = {
        ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
        ('torch.storage', '_load_from_bytes'): _load_from_bytes,
        ('_codecs', 'encode'): _encode,  # bytes, in the older protocols
        ('collections', 'OrderedDict'): OrderedDict,  # the hooks of a tensor, which has none
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it asks for {module}.{name}, which rebuilds no tensor and could run code'
            ) from None
