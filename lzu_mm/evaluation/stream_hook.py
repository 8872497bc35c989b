"""What a streaming metric must know and say before a model sees a batch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Iterator, Mapping, Protocol, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.amp import autocast

from ..checks import check_whole
from ..frames import name_of

__all__ = ['StreamHook', 'frame_of']

_NO_VIDEOS = (
    'streaming accuracy needs the frames of videos, but {name} has no {missing}. Add them to '
    'meta_keys of PackDetInputs in the test pipeline, of a data set whose data infos have them, '
    'such as lzu_mm.ArgoverseHDDataset; images of no video have no streaming accuracy: evaluate '
    'them with CocoMetric'
)


def frame_of(metainfo: Mapping[str, Any]) -> tuple[Any, int]:
    """Which frame of which video an image is.

    Args:
        metainfo: Its ``video_id`` and ``frame_id``, as temporal saliency reads them.

    Returns:
        Both.

    Raises:
        ValueError: If it is of no video.
    """
    missing = [key for key in ('video_id', 'frame_id') if metainfo.get(key) is None]
    if missing:
        raise ValueError(_NO_VIDEOS.format(name=name_of(metainfo), missing=' and '.join(missing)))
    return metainfo['video_id'], check_whole('frame_id', metainfo['frame_id'], '[0, inf)')


class StreamingMetric(Protocol):
    """What the hook serves: see ``StreamingCocoMetric``."""

    source: Any

    def arrive(self, samples: Sequence[Mapping[str, Any]]) -> list[int | None]: ...

    def begin(self) -> None: ...


class StreamHook(Hook):
    """Lets frames arrive as the dataloader hands them over, and starts the watch.

    The metric registers it with the runner that builds it.

    Args:
        metric: The metric.
    """

    def __init__(self, metric: StreamingMetric) -> None:
        self.metric = metric
        self._saliency_follows = False

    def before_run(self, runner: Runner) -> None:
        """Refuse images that are no videos, and clocks that contradict each other."""
        self._saliency_follows = any(
            getattr(module, 'follows_videos', False) for module in runner.model.modules()
        )
        for loop in (runner._val_loop, runner._test_loop):
            metrics = _metrics(loop)
            if self.metric not in metrics:
                continue
            # What other metrics do does not count.
            metrics.sort(key=lambda metric: metric is not self.metric)
            if self._saliency_follows and sum(hasattr(m, 'arrive') for m in metrics) > 1:
                raise ValueError(
                    'temporal saliency follows the clock of one StreamingCocoMetric: evaluate '
                    'latencies one by one'
                )
            for sample in _flat(loop.dataloader.dataset[0]['data_samples']):
                frame_of(sample.metainfo)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """See :class:`StreamHook`."""
        self._before(runner.val_loop, runner.model.val_step, batch_idx, data_batch)

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """See :class:`StreamHook`."""
        self._before(runner.test_loop, runner.model.test_step, batch_idx, data_batch)

    def _before(self, loop: Any, step: Any, batch_idx: int, data_batch: Any) -> None:
        if self.metric not in _metrics(loop):
            return
        samples = list(_flat(data_batch['data_samples']))
        newest = self.metric.arrive([sample.metainfo for sample in samples])
        if self._saliency_follows:
            for sample, frame_id in zip(samples, newest):
                sample.set_metainfo(dict(newest_result=frame_id))
        if self.metric.source is None and batch_idx == 0:
            # The first batch of a process takes longer than a camera would ever see.
            with torch.no_grad(), autocast(enabled=loop.fp16):
                step(deepcopy(data_batch))
        self.metric.begin()


def _metrics(loop: Any) -> list[Any]:
    """The metrics of a loop; none of one that is not built."""
    return getattr(getattr(loop, 'evaluator', None), 'metrics', [])


def _flat(samples: Any) -> Iterator[Any]:
    """Samples, and those of the views of test-time augmentation."""
    if not isinstance(samples, (list, tuple)):
        yield samples
        return
    for sample in samples:
        yield from _flat(sample)
