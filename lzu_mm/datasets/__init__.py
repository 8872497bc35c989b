"""Datasets; each needs its host library, and is absent without it."""

from __future__ import annotations

from importlib.util import find_spec

__all__: list[str] = []

if find_spec('mmdet') is not None:
    from .argoverse_hd import ArgoverseHDDataset

    __all__ += ['ArgoverseHDDataset']
