"""Datasets, each absent without its host library, and their sampler."""

from __future__ import annotations

from ..optional import installed
from .sequence_sampler import SequenceSampler

__all__: list[str] = ['SequenceSampler']

if installed('mmdet'):
    from .argoverse_hd import ArgoverseHDDataset

    __all__ += ['ArgoverseHDDataset']
