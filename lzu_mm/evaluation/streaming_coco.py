"""Streaming accuracy, sAP: each frame is judged by the newest result that was ready.

Li et al., Towards Streaming Perception, ECCV 2020.
"""

from __future__ import annotations

import json
import os
from time import perf_counter
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np
from mmdet.evaluation import CocoMetric
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from ..checks import check_number, check_whole
from ..files import check_writable, replacing
from ..link import callers
from ..registry import METRICS
from .stream import MEASURED, LatencySource, Stream, latency_source
from .stream_hook import StreamHook, frame_of


class _Run(NamedTuple):
    """What became of a frame."""

    video: str
    frame_id: int
    latency: float
    taken: bool


@METRICS.register_module()
class StreamingCocoMetric(CocoMetric):
    """COCO's AP where a frame is judged by the newest result that was ready when it arrived.

    Frame i of a video arrives at i / fps. The detector runs one frame at a time and takes up the
    newest that has arrived whenever it is idle. Of the results that are finished at t_j with
    t_j ≤ (i − η) / fps the last stands for frame i; before the first there are no detections.
    Without latency the values are those of ``mmdet.CocoMetric``, but for the prefix ``streaming``.

    Every frame is run, so that other metrics beside this one, and dumps of predictions, miss none.
    Temporal saliency is told which result was the newest when the detector began with a frame
    (``newest_result`` of the metainfo), so that it looks where it could have looked.

    Args:
        fps: Frames per second, above 0.
        latency: Of each frame: ``'measured'`` during the test, from the batch as the dataloader
            hands it over to its detections; seconds, at least 0; or a ``.json`` file that holds a
            list of seconds to draw from, such as was measured on another machine, or an object
            with the list of every frame's seconds for each ``video_id``.
        eta: η, by how many frames results have to be earlier, at least 0.
        seed: Of the latencies that are drawn.
        latency_file: A new ``.json`` for the latencies, as an object with a list for each video.
        **kwargs: As for ``mmdet.CocoMetric``.

    Raises:
        ValueError: If a setting is wrong; in the test, if there are no videos, or frames of one
            are missing or out of order.
    """

    default_prefix = 'streaming'

    def __init__(
        self,
        *args: Any,
        fps: float,
        latency: float | str = MEASURED,
        eta: float = 0,
        seed: int = 0,
        latency_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        name = type(self).__name__
        self.fps = check_number(f'{name}.fps', fps, '(0, inf)', ' frames per second')
        self.eta = check_number(f'{name}.eta', eta, '[0, inf)', ' frames')
        seed = check_whole(f'{name}.seed', seed, '[0, inf)')
        self.source = latency_source(latency, seed, f'{name}.latency')
        self.latency_file = latency_file
        if latency_file is not None:
            _check_new_file(f'{name}.latency_file', latency_file)
        self._videos: dict[Any, _Video] = {}
        self._begun: float | None = None
        for owner, _ in callers():
            if isinstance(owner, Runner):
                owner.register_hook(StreamHook(self), priority='LOWEST')
                break

    def arrive(self, samples: Sequence[Mapping[str, Any]]) -> list[int | None]:
        """Let the frames of a batch arrive, before the model sees them.

        Args:
            samples: Their metainfo; views of one frame count once.

        Returns:
            For each, the ``frame_id`` of the newest result that is ready when the detector sees it.
        """
        frames = [frame_of(sample) for sample in samples]
        newest: dict[tuple[Any, int], int | None] = {}
        for video_id, frame_id in dict.fromkeys(frames):
            if video_id not in self._videos:
                self._videos[video_id] = _Video(video_id, frame_id, self.fps)
            newest[video_id, frame_id] = self._videos[video_id].arrive(frame_id, self.source)
        if self.source is None and len(newest) > 1:
            raise ValueError(
                f'a batch of {len(newest)} frames takes longer than one of them: measure latencies '
                'with batch_size=1 in test_dataloader (val_dataloader)'
            )
        return [newest[frame] for frame in frames]

    def begin(self) -> None:
        """Start the watch, just before the model sees the batch that has arrived."""
        self._begun = perf_counter()

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """See ``CocoMetric.process``.

        Args:
            data_batch: As the dataloader gave it.
            data_samples: Predictions of the frames, in their order.
        """
        for sample in data_samples:
            sample['pred_instances']['scores'].cpu()  # waits for the device
        measured = self._measured(data_samples)
        first = len(self.results)
        super().process(data_batch, data_samples)
        for index, sample in enumerate(data_samples, first):
            truth, result = self.results[index]
            video_id, frame_id = frame_of(sample)
            run, newest = self._videos[video_id].judge(frame_id, result, self.eta, measured)
            self.results[index] = truth, newest, run

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Evaluate.

        Args:
            results: Ground truth of each image, the result that stands for it, and its run.

        Returns:
            The values of ``CocoMetric``.
        """
        # Whatever tuples come from other processes are plain.
        runs = sorted(_Run(*run) for *_, run in results)
        latencies = [1000 * run.latency for run in runs]
        MMLogger.get_current_instance().info(
            f'{sum(run.taken for run in runs)} of {len(runs)} frames at {self.fps:g} frames/s were '
            f'taken up; latency p50 {np.percentile(latencies, 50):.1f} ms, p95 '
            f'{np.percentile(latencies, 95):.1f} ms'
        )
        if self.latency_file is not None:
            _write_latencies(runs, self.latency_file)
        return super().compute_metrics([pair for *pair, _ in results])

    def evaluate(self, size: int) -> dict[str, float]:
        """Evaluate, and let the videos start anew.

        Args:
            size: Number of images of the data set.

        Returns:
            The values by name.
        """
        self._videos.clear()
        return super().evaluate(size)

    def _measured(self, samples: Sequence[dict]) -> float:
        """Seconds since :meth:`begin`, if the batch was said to arrive."""
        begun, self._begun = self._begun, None
        if begun is not None:
            return perf_counter() - begun
        if self.source is None:
            raise ValueError(
                f'{type(self).__name__} measures latencies only as an evaluator of a runner: '
                'set latency to seconds or a file'
            )
        self.arrive(samples)
        return 0.0


class _Video:
    """The results of a video that may still be the newest for a frame."""

    def __init__(self, video_id: Any, first: int, fps: float) -> None:
        self.video_id = video_id
        self.first = first
        self.stream = Stream(fps)
        self.latencies: dict[int, float] = {}
        self.taken: dict[int, dict | None] = {}

    def arrive(self, frame_id: int, source: LatencySource | None) -> int | None:
        index = self.stream.count
        if frame_id != self.first + index:
            raise ValueError(
                f'frame {frame_id} of video {self.video_id} follows {self.first + index - 1}, but '
                'streaming accuracy needs all frames of a video in one process, in order and '
                "numbered one by one: set sampler=dict(type='lzu_mm.SequenceSampler') in "
                'test_dataloader (val_dataloader), and leave no frame out'
            )
        if self.stream.arrive():
            self.taken[index] = None
        if source is not None:
            self._finish(index, source(self.video_id, index))
        seen = self.stream.seen()
        return None if seen is None else self.first + seen

    def judge(
        self, frame_id: int, own: dict, eta: float, measured: float
    ) -> tuple[_Run, dict[str, Any]]:
        """What became of a frame, and the result that stands for it."""
        index = frame_id - self.first
        if index not in self.latencies:
            self._finish(index, measured)
        run = _Run(str(self.video_id), frame_id, self.latencies.pop(index), index in self.taken)
        if run.taken:
            self.taken[index] = own
        newest = self.stream.newest((index - eta) / self.stream.fps)
        if newest is None:
            return run, {key: own[key] if key == 'img_id' else own[key][:0] for key in own}
        for old in [old for old in self.taken if old < newest]:
            del self.taken[old]
        result = self.taken[newest]
        assert result is not None
        return run, {**result, 'img_id': own['img_id']}

    def _finish(self, index: int, latency: float) -> None:
        self.latencies[index] = latency
        if index in self.taken:
            self.stream.finish(latency)


def _check_new_file(name: str, path: str) -> None:
    if not str(path).endswith('.json'):
        raise ValueError(f'{name} must end in .json, got {path!r}')
    if os.path.exists(path):
        raise ValueError(f'{name}: {path} exists; remove it or choose another name')
    check_writable(path)


def _write_latencies(runs: Sequence[_Run], path: str) -> None:
    videos: dict[str, list[float]] = {}
    for run in runs:
        videos.setdefault(run.video, []).append(run.latency)
    with replacing(path) as draft:
        draft.write_text(json.dumps(videos))
