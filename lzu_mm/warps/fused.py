"""Whether the fused kernels run: on CUDA, with Triton 3, and outside ``torch.compile``.

Where features want a gradient, plain torch resamples: in eager training Python takes longer to
launch the kernels than they save. ``LZU_FUSED=1`` in the environment, or :func:`fused_kernels`,
uses them there too, as pays in a CUDA graph; ``LZU_FUSED=0`` turns them all off.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from typing import Iterator

import torch
from torch import Tensor

from .compat import is_compiling, is_transforming
from .taps import Taps

__all__ = ['attract', 'bound', 'equalise', 'fused_kernels', 'map_axis', 'resample', 'takes']

_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.uint8)
# Subclasses are traced, sharded or not there at all.
_KINDS = (Tensor, torch.nn.Parameter)
# None: where they pay.
_enabled: bool | None = {'0': False, '1': True}.get(os.environ.get('LZU_FUSED', ''))


@contextmanager
def fused_kernels(enabled: bool) -> Iterator[None]:
    """Use the fused kernels wherever they can be used, or nowhere, within a block.

    By default they are used where they pay: not where features want a gradient.

    Args:
        enabled: Whether to use them.
    """
    global _enabled
    before, _enabled = _enabled, enabled
    try:
        yield
    finally:
        _enabled = before


def takes(values: Tensor, knots: Tensor) -> bool:
    """Whether the kernels take these values, for a warp of these knots.

    What they do not take goes through plain torch: gradients of the warp, double precision, and
    whatever ``torch.compile``, ``torch.export`` or ``torch.jit.trace`` looks at.

    Args:
        values: An image or features.
        knots: Of the warp.
    """
    return (
        _enabled is not False
        and values.device.type == 'cuda'
        and values.dtype in _DTYPES
        and knots.dtype == torch.float32
        and knots.device == values.device
        and not (knots.requires_grad and torch.is_grad_enabled())
        and _pays(values)
        and type(values) in _KINDS
        and not (is_compiling() or torch.jit.is_tracing() or is_transforming())
        and _has_triton()
    )


def resample(values: Tensor, taps: Taps, dtype: torch.dtype) -> Tensor:
    """See :func:`lzu_mm.warps.kernels.resample.resample`."""
    from .kernels.resample import resample as kernel

    return kernel(values, taps, dtype)


def map_axis(knots: Tensor, position: Tensor, invert: bool) -> Tensor:
    """See :func:`lzu_mm.warps.kernels.axes.map_axis`."""
    from .kernels.axes import map_axis as kernel

    return kernel(knots, position, invert)


def attract(marginal: Tensor, padding: int, fwhm: float, anti_crop: bool) -> Tensor:
    """See :func:`lzu_mm.warps.kernels.axes.attract`."""
    from .kernels.axes import attract as kernel

    return kernel(marginal, padding, fwhm, anti_crop)


def bound(knots: Tensor, limit: float) -> Tensor:
    """See :func:`lzu_mm.warps.kernels.axes.bound`."""
    from .kernels.axes import bound as kernel

    return kernel(knots, limit)


def equalise(marginal: Tensor, uniform_share: float, limit: float) -> Tensor:
    """See :func:`lzu_mm.warps.kernels.axes.equalise`."""
    from .kernels.axes import equalise as kernel

    return kernel(marginal, uniform_share, limit)


def _pays(values: Tensor) -> bool:
    """Whether the kernels are asked for, or no gradient is; theirs adds up in any order."""
    if not (values.requires_grad and torch.is_grad_enabled()):
        return True
    return _enabled is True and not torch.are_deterministic_algorithms_enabled()


@lru_cache(maxsize=None)
def _has_triton() -> bool:
    """Whether Triton is here, and rounds divisions as torch does: since 3.0, of torch 2.4."""
    try:
        import triton
    except ImportError:
        return False
    return int(triton.__version__.split('.')[0]) >= 3
