"""Tensors among arguments and results, however they are nested."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from torch import Tensor

__all__ = ['tensors']


def tensors(value: Any) -> Iterator[Tensor]:
    """A tensor itself, or those in lists, tuples and mappings, to any depth and in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, Mapping):
        yield from tensors(tuple(value.values()))
