"""What torch 2.0, the oldest that is supported, has under another name."""

from __future__ import annotations

import torch

__all__ = ['is_compiling']

# torch.compiler came with torch 2.1, its is_compiling with 2.3; torch 2.6 deprecates the other.
_is_compiling = getattr(
    getattr(torch, 'compiler', None), 'is_compiling', None
) or torch._utils.is_compiling  # fmt: skip


def is_compiling() -> bool:
    """Tell whether ``torch.compile`` traces the caller, as ``torch.compiler.is_compiling`` does."""
    return _is_compiling()
