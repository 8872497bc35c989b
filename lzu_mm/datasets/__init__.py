"""Datasets, each absent without its host library, and their sampler."""

from __future__ import annotations

from importlib.util import find_spec

from .sequence_sampler import SequenceSampler

__all__: list[str] = ['SequenceSampler']

if find_spec('mmdet') is not None:
    from .argoverse_hd import ArgoverseHDDataset

    __all__ += ['ArgoverseHDDataset']
