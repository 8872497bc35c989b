"""Datasets, each imported with its library when it is asked for, and their sampler."""

from typing import TYPE_CHECKING

from ..lazy import lazy_exports
from .sequence_sampler import SequenceSampler

if TYPE_CHECKING:
    from .argoverse_hd import ArgoverseHDDataset
    from .camvid import CamVidDataset

__all__ = ['ArgoverseHDDataset', 'CamVidDataset', 'SequenceSampler']

__getattr__, __dir__ = lazy_exports(
    __name__, {'argoverse_hd': ['ArgoverseHDDataset'], 'camvid': ['CamVidDataset']}
)
