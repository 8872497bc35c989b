"""Remember the last frame of every video, so that the next one can look where it found objects."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

_MAX_SEQUENCES = 256


class SequenceMemory:
    """The last sample of each video, found by ``video_id`` and ``frame_id`` of the metainfo.

    Samples without them form one stream. Mirrored views (flip TTA) are videos of their own. The
    least recent of more than 256 videos is forgotten.

    Args:
        max_gap: Largest step of ``frame_id`` that counts as the next frame.
    """

    def __init__(self, max_gap: int = 1) -> None:
        self.max_gap = max_gap
        self._last: OrderedDict[Any, Any] = OrderedDict()

    def __deepcopy__(self, memo: dict[int, Any]) -> SequenceMemory:
        # A copy of a model (EMA) sees its own videos.
        return SequenceMemory(self.max_gap)

    def clear(self) -> None:
        """Forget all videos."""
        self._last.clear()

    def store(self, sample: Any) -> None:
        """Remember a sample as the last of its video.

        Args:
            sample: The sample in which the detector will leave its predictions.
        """
        key = _key(sample.metainfo)
        self._last[key] = sample
        self._last.move_to_end(key)
        if len(self._last) > _MAX_SEQUENCES:
            self._last.popitem(last=False)

    def previous(self, metainfo: dict[str, Any]) -> Any | None:
        """The sample of the frame before.

        A video starts anew, with a warning, where its frames go back or change their size; without
        one at ``frame_id`` 0 and at gaps.

        Args:
            metainfo: Of the frame at hand.

        Returns:
            The sample, or None if the frame before is not known.
        """
        last = self._last.get(_key(metainfo))
        if last is None:
            return None
        number, before = metainfo.get('frame_id'), last.metainfo.get('frame_id')
        if number is not None and before is not None:
            if number == 0 or number - before > self.max_gap:
                return None
            if number <= before:
                _warn(f'frame {number} of video {metainfo.get("video_id")} came after {before}')
                return None
        sizes = [tuple(meta['ori_shape'][:2]) for meta in (last.metainfo, metainfo)]
        if sizes[0] != sizes[1]:
            _warn(f'the size of the stream changed from {sizes[0]} to {sizes[1]}')
            return None
        return last


def _key(metainfo: dict[str, Any]) -> tuple[Any, Any]:
    flip = metainfo.get('flip_direction') if metainfo.get('flip') else None
    return metainfo.get('video_id'), flip


def _warn(reason: str) -> None:
    warnings.warn(
        f'TemporalSaliency: {reason}; it falls back to the prior for this frame. Test frames in '
        'order, with a sampler that does not shuffle, and whole videos per process '
        "(sampler=dict(type='lzu_mm.SequenceSampler')).",
        stacklevel=3,
    )
