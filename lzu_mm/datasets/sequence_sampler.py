"""A sampler of whole videos, for testing models that remember the previous frame."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Iterator

from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from ..checks import check_flag
from ..registry import DATA_SAMPLERS

__all__ = ['SequenceSampler']


@DATA_SAMPLERS.register_module()
class SequenceSampler(Sampler):
    """Gives each process whole videos, with frames in the order of the dataset.

    MMDetection's samplers do this only for its own video datasets. Videos are assigned in order of
    length, longest first, each to the process with the fewest frames. Nothing is repeated to even
    out the processes; mmengine's metrics can collect results of different lengths.

    Args:
        dataset: A dataset whose data infos have ``video_id`` and whose videos are contiguous, such
            as :class:`ArgoverseHDDataset`.
        shuffle: Must be False: MM configs name it for every sampler.
        seed: Ignored, as nothing is drawn.

    Raises:
        ValueError: If ``shuffle`` is set, data infos have no ``video_id``, or there are fewer
            videos than processes.
    """

    def __init__(self, dataset: Any, shuffle: bool = False, seed: int | None = None) -> None:
        if check_flag('sampler.shuffle', shuffle):
            raise ValueError('SequenceSampler keeps the order of frames: set sampler.shuffle=False')
        rank, world_size = get_dist_info()
        videos = _videos(dataset)
        if len(videos) < world_size:
            raise ValueError(
                f'{len(videos)} videos cannot be split over {world_size} processes: start fewer'
            )
        shares: list[list[list[int]]] = [[] for _ in range(world_size)]
        for video in sorted(videos, key=len, reverse=True):
            min(shares, key=lambda share: sum(map(len, share))).append(video)
        self.indices = [index for video in sorted(shares[rank]) for index in video]

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def set_epoch(self, epoch: int) -> None:
        """Does nothing: every epoch has the same order."""


def _videos(dataset: Any) -> list[list[int]]:
    """Indices of each video of a dataset, in its order."""
    ids = [dataset.get_data_info(index).get('video_id') for index in range(len(dataset))]
    if None in ids:
        raise ValueError(
            f"SequenceSampler needs 'video_id' in the data infos of {type(dataset).__name__}, as "
            'lzu_mm.ArgoverseHDDataset gives: use it, or DefaultSampler with shuffle=False in one '
            'process'
        )
    return [
        [index for index, _ in group] for _, group in groupby(enumerate(ids), key=lambda p: p[1])
    ]
