"""Remember the last frames of every video, so that the next one can look where it found objects."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from threading import Lock, get_ident
from typing import Any, Mapping, NamedTuple, Sequence

from torch import Tensor

from ..frames import SourceFrame

_MAX_SEQUENCES = 256
_NOT_RUN = (
    'TemporalSaliency: frame {} of a video was prepared before the model has run on frame {}, in '
    'which it looks for detections. Hand what model.data_preprocessor returns to the model before '
    'the next frame of the video; saliency.reset() of the preprocessor forgets what was not run.'
)


class Detections(NamedTuple):
    """What was found in a frame.

    Attributes:
        boxes: (K, 4) in pixels of the original, flipped as the source was.
        scores: (K,).
    """

    boxes: Tensor
    scores: Tensor


class SequenceMemory:
    """The detections in the last frame of each video.

    Videos are told apart by ``video_id`` of the metainfo, their frames by ``frame_id``; samples
    without them form one stream. The views of test-time augmentation (mirrored, of another scale)
    are videos of their own. The least recent of more than 256 videos is forgotten.

    Several videos, or several threads with videos of their own, may be under way at once. The
    frames of one video must be run one by one.

    Where a clock runs (``StreamingCocoMetric``), ``newest_result`` of the metainfo says the
    detections of which frame were ready in time, in place of the last; None says that none were.

    Args:
        max_gap: Largest step of ``frame_id`` that counts as the next frame.
    """

    def __init__(self, max_gap: int = 1) -> None:
        self.max_gap = max_gap
        # A frame that goes from the awaited to the last ones must not be missed by another thread.
        self._lock = Lock()
        self.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy of a model (EMA, pickle) sees its own videos.
        return SequenceMemory, (self.max_gap,)

    def clear(self) -> None:
        """Forget all videos."""
        with self._lock:
            # The last frame, and with a clock those before it that may still be the newest.
            self._last: OrderedDict[Any, list[_Last]] = OrderedDict()
            # Frames that were prepared, but not run yet.
            self._awaited: OrderedDict[Any, _Last] = OrderedDict()
            # Of the batch that is being prepared in each thread.
            self._prepared: dict[int, list[_Last]] = {}

    def look_back(
        self, metainfos: Sequence[Mapping[str, Any]], frames: Sequence[SourceFrame]
    ) -> list[Detections | None]:
        """The detections of the frames before those of a batch, which are awaited from now on.

        A video starts anew, with a warning, where its frames go back or change their size; without
        one at ``frame_id`` 0 and at gaps.

        Args:
            metainfos: Of the source images of the batch.
            frames: Of these images.

        Returns:
            Detections per image; None where the frame before is not known.

        Raises:
            ValueError: If the batch holds two frames of one video: the second could not see what
                is found in the first.
            RuntimeError: If a frame is prepared before the model has run on the one before.
        """
        keys = [_key(metainfo) for metainfo in metainfos]
        if len(set(keys)) < len(keys):
            raise ValueError(
                'TemporalSaliency: a test batch holds two frames of one video (or two images '
                'without video_id), of which the second cannot see what is found in the first. Set '
                'test_dataloader.batch_size=1 (val_dataloader.batch_size=1)'
            )
        with self._lock:
            self._settle()
            found = [self._before(key, metainfo) for key, metainfo in zip(keys, metainfos)]
        self._prepared[get_ident()] = [_Last(*each) for each in zip(keys, metainfos, frames)]
        return found

    def store(self, samples: Sequence[Any]) -> None:
        """Remember the samples of the batch that this thread looked at last.

        Args:
            samples: Samples in which the detector will leave its predictions.
        """
        with self._lock:
            for last, sample in zip(self._prepared.pop(get_ident(), ()), samples):
                last.sample = sample
                self._awaited[last.key] = last
                if len(self._awaited) > _MAX_SEQUENCES:
                    self._awaited.popitem(last=False)

    def _settle(self) -> None:
        """Keep what was found in the frames that were run, and let go of their samples."""
        for last in list(self._awaited.values()):
            if not _is_run(last.sample):
                continue
            del self._awaited[last.key]
            last.found, last.sample = _detections(last.sample, last.frame), None
            frames = self._last.setdefault(last.key, [])
            if not last.clocked:
                frames.clear()
            frames.append(last)
            self._last.move_to_end(last.key)
            if len(self._last) > _MAX_SEQUENCES:
                self._last.popitem(last=False)

    def _before(self, key: Any, metainfo: Mapping[str, Any]) -> Detections | None:
        if self._forget_another_size(metainfo):
            return None
        if key in self._awaited and self._awaited[key].is_wanted(metainfo, self.max_gap):
            raise RuntimeError(_NOT_RUN.format(metainfo.get('frame_id'), self._awaited[key].number))
        frames = self._last.get(key)
        if not frames:
            return None
        if 'newest_result' in metainfo:
            return _ready(frames, metainfo['frame_id'], metainfo['newest_result'])
        last = frames[-1]
        number, before = metainfo.get('frame_id'), last.number
        if number is not None and before is not None:
            if number == 0 or number - before > self.max_gap:
                return None
            if number <= before:
                _warn(f'frame {number} of video {metainfo.get("video_id")} came after {before}')
                return None
        return last.found

    def _forget_another_size(self, metainfo: Mapping[str, Any]) -> bool:
        """Whether the video had another size so far, all views of which are forgotten."""
        video, size = metainfo.get('video_id'), _original(metainfo)
        newest = [frames[-1] for frames in self._last.values() if frames]
        known = [*newest, *self._awaited.values()]
        stale = [last for last in known if last.video == video and last.size != size]
        for last in stale:
            self._last.pop(last.key, None)
            self._awaited.pop(last.key, None)
        if stale and metainfo.get('frame_id') != 0:
            _warn(f'the size of the stream changed from {stale[0].size} to {size}')
        return bool(stale)


class _Last:
    """The last frame of a video, and what was found in it once that is known."""

    def __init__(self, key: Any, metainfo: Mapping[str, Any], frame: SourceFrame) -> None:
        self.key = key
        self.video = metainfo.get('video_id')
        self.number = metainfo.get('frame_id')
        self.clocked = 'newest_result' in metainfo
        self.size = _original(metainfo)
        self.frame = frame
        self.sample: Any = None
        self.found: Detections | None = None

    def is_wanted(self, metainfo: Mapping[str, Any], max_gap: int) -> bool:
        """Whether another frame of the video looks at what is found in this one."""
        number = metainfo.get('frame_id')
        if 'newest_result' in metainfo:
            return self.number is not None and metainfo['newest_result'] == self.number
        if number is None or self.number is None:
            return True
        return number != 0 and 0 < number - self.number <= max_gap


def _ready(frames: list[_Last], number: int, newest: int | None) -> Detections | None:
    """The newest result that was ready, in front of which all are forgotten."""
    # Frames from this one on are of an earlier pass over the video.
    frames[:] = [
        last for last in frames if last.number is not None and (newest or 0) <= last.number < number
    ]
    return frames[0].found if frames and frames[0].number == newest else None


def _is_run(sample: Any) -> bool:
    """Whether a model has left predictions, of any kind, in a sample."""
    return any(key.startswith('pred_') for key, _ in sample.items())


def _detections(sample: Any, frame: SourceFrame) -> Detections:
    instances = sample.get('pred_instances', ())
    if 'bboxes' not in instances or 'scores' not in instances:
        raise ValueError(
            'TemporalSaliency looks where 2D boxes were found, but this model predicts none '
            '(pred_instances.bboxes): set zoom.saliency to another'
        )
    boxes = instances.bboxes
    boxes = (boxes if isinstance(boxes, Tensor) else boxes.tensor).detach()
    if 'pred_instances_3d' in sample:
        # Monocular 3D models leave 2D boxes in the frame of the source.
        boxes = frame.boxes_to_original(boxes)
    return Detections(boxes, instances.scores.detach())


def _key(metainfo: Mapping[str, Any]) -> tuple[Any, ...]:
    flip = metainfo.get('flip_direction') if metainfo.get('flip') else None
    return metainfo.get('video_id'), flip, tuple(metainfo.get('img_shape', ())[:2])


def _original(metainfo: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(metainfo['ori_shape'][:2])


def _warn(reason: str) -> None:
    warnings.warn(
        f'TemporalSaliency: {reason}; it falls back to the prior for this frame. Test frames in '
        'order, with a sampler that does not shuffle, and whole videos per process '
        "(sampler=dict(type='lzu_mm.SequenceSampler')).",
        stacklevel=3,
    )
