"""Reading mmengine's own checkpoints with the safe loader of torch >= 2.6.

Since torch 2.6 `torch.load` only builds what is on an allow-list. mmengine 0.10 stores its message
hub beside the weights, `HistoryBuffer` objects full of NumPy arrays, and passes no `weights_only`:
training could neither be resumed nor tested. The list is extended here by exactly these types.
"""

import pickle
from typing import Any, Callable, List, Tuple, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint
from mmengine.utils import digit_version

__all__ = ['allow_mmengine_checkpoints', 'mmengine_globals']

SafeGlobal = Union[Callable, Tuple[Callable, str]]

# Number formats of logged values and their counts, and of scores kept in the message hub.
_DTYPES = ('float64', 'float32', 'float16', 'int64', 'int32', 'bool')
_STATISTICS = {
    'min': HistoryBuffer.min,
    'max': HistoryBuffer.max,
    'mean': HistoryBuffer.mean,
    'current': HistoryBuffer.current,
}


def _history_statistic(owner: Any, name: str) -> Callable:
    """Stand in for `getattr`, which pickle uses to name the methods of `HistoryBuffer`.

    Raises:
        pickle.UnpicklingError: for any other attribute of anything.
    """
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(
            f'the checkpoint asks for attribute {name!r} of {owner!r}, which mmengine never does; '
            'it is not loaded, because that could run code'
        )
    return _STATISTICS[name]


def _numeric_dtype(name: Any, *flags: Any) -> np.dtype:
    """Stand in for `numpy.dtype`: an array of objects, read from a file, ends the process.

    Raises:
        pickle.UnpicklingError: for any dtype but those of numbers.
    """
    dtype = np.dtype(name, *flags)
    if dtype.kind not in 'fiub':
        raise pickle.UnpicklingError(f'the checkpoint holds an array of {dtype}, not of numbers')
    return dtype


def mmengine_globals() -> List[SafeGlobal]:
    """List what mmengine's checkpoints hold beyond tensors and plain containers.

    Returns:
        Callables, or pairs (callable, name in the checkpoint) where the two differ.
    """
    # Both functions moved with NumPy 2; a checkpoint may come from either side of the move.
    reconstruct: Any = np.empty(0).__reduce__()[0]
    scalar: Any = np.float64().__reduce__()[0]
    moved: List[SafeGlobal] = []
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        moved += [(reconstruct, f'{module}._reconstruct'), (scalar, f'{module}.scalar')]
    dtypes = [type(np.dtype(name)) for name in _DTYPES]
    history: List[SafeGlobal] = [HistoryBuffer, (_history_statistic, 'builtins.getattr')]
    return [*history, np.ndarray, (_numeric_dtype, 'numpy.dtype'), *dtypes, *moved]


def allow_mmengine_checkpoints() -> None:
    """Let `torch.load` read the checkpoints of mmengine, and nothing that could run code.

    Calling it again changes nothing. Before torch 2.6 `torch.load` needs no list.
    """
    if digit_version(torch.__version__) >= digit_version('2.6.0'):
        torch.serialization.add_safe_globals(mmengine_globals())
        # The fork's own way loads a file unsafely where it cannot be loaded safely.
        if hasattr(checkpoint, '_safe_torch_load'):
            setattr(checkpoint, '_safe_torch_load', torch.load)  # noqa: B010 - stock has none
