"""What the oldest torch that is supported, 2.0, does otherwise than the newest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['is_capturing', 'is_compiling', 'is_transforming', 'weighted_bags']

# torch.compiler came with torch 2.1, its is_compiling with 2.3; torch 2.6 deprecates the other.
_IS_COMPILING_IS_PUBLIC = hasattr(getattr(torch, 'compiler', None), 'is_compiling')


def _differentiates_weights_alone() -> bool:
    """Whether ``F.embedding_bag`` does; an assertion of torch 2.0 and 2.1 fails there."""
    index, weight = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, requires_grad=True)
    try:
        F.embedding_bag(index, torch.ones(1, 1), mode='sum', per_sample_weights=weight)
    except RuntimeError:
        return False
    return True


_WEIGHTS_ALONE = _differentiates_weights_alone()


def is_compiling() -> bool:
    """Tell whether ``torch.compile`` traces the caller, as ``torch.compiler.is_compiling`` does."""
    if _IS_COMPILING_IS_PUBLIC:
        return torch.compiler.is_compiling()
    return torch._utils.is_compiling()


def is_capturing(like: Tensor) -> bool:
    """Tell whether a CUDA graph is captured, whose tensors hold nothing until it is replayed."""
    return like.device.type == 'cuda' and torch.cuda.is_current_stream_capturing()


def is_transforming() -> bool:
    """Tell whether a transform of ``torch.func``, such as ``vmap``, is at work."""
    active = getattr(torch._C, '_are_functorch_transforms_active', None)
    return active is not None and active()


def weighted_bags(index: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums of rows: ``F.embedding_bag`` in mode ``'sum'``.

    Args:
        index: Which rows to add up, shape (m, taps).
        rows: Shape (n, K).
        weight: Shape (m, taps).

    Returns:
        Shape (m, K).
    """
    if weight.requires_grad and not (_WEIGHTS_ALONE or rows.requires_grad):
        rows = rows.detach().requires_grad_()
    return F.embedding_bag(index, rows, mode='sum', per_sample_weights=weight)
