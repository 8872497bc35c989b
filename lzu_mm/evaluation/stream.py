"""Videos against the clock: which frames a detector takes up, and which result is ready when.

Frame i of a video arrives at i / fps. A detector runs one frame at a time; when it is idle, it
takes up the newest frame that has arrived, so that frames are skipped while it is busy. A result is
ready when it is finished (Li et al., Towards Streaming Perception, ECCV 2020).

Times are in seconds since the first frame of the video.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from pathlib import Path
from typing import Any, Callable, Mapping

from ..checks import check_number

__all__ = ['MEASURED', 'Stream', 'latency_source']

MEASURED = 'measured'
# Multiples of 1 / fps are rounded; whoever finishes as a frame arrives is in time.
_ROUNDING = 1e-9

LatencySource = Callable[[Any, int], float]


class Stream:
    """One video before a detector.

    Args:
        fps: Frames per second, above 0.

    Attributes:
        count: Frames that have arrived.

    Example:
        Each frame takes one and a half times as long as the next one needs to arrive.

        >>> stream = Stream(fps=10)
        >>> taken = []
        >>> for number in range(6):
        ...     if stream.arrive():
        ...         taken.append(number)
        ...         stream.finish(latency=0.15)
        >>> taken
        [0, 1, 3, 4]
        >>> [stream.newest(number / 10) for number in range(6)]
        [None, None, 0, 1, 1, 3]
    """

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.count = 0
        self._start = 0.0
        self._taken: list[int] = []
        self._ready: list[float] = []  # when, for each of them

    def arrive(self) -> bool:
        """Let the next frame arrive.

        Returns:
            Whether the detector takes it up; :meth:`finish` must follow before another arrives.
        """
        index, self.count = self.count, self.count + 1
        idle = self._ready[-1] if self._ready else 0.0
        if (index + 1) / self.fps <= idle + _ROUNDING:
            return False
        self._start = max(idle, index / self.fps)
        self._taken.append(index)
        return True

    def finish(self, latency: float) -> None:
        """Finish the frame that was taken up last.

        Args:
            latency: Seconds since the detector began with it.
        """
        self._ready.append(self._start + latency)

    def newest(self, time: float) -> int | None:
        """The newest result that is ready.

        Args:
            time: When it is asked for.

        Returns:
            Index of its frame, counted from the first of the video; None before the first result.
        """
        ready = bisect_right(self._ready, time + _ROUNDING)
        return self._taken[ready - 1] if ready else None

    def seen(self) -> int | None:
        """The newest result that is ready when the detector sees the frame that arrived last.

        That is when it begins with it; for a frame that it skips, when that arrives.
        """
        index = self.count - 1
        if self._taken[-1:] != [index]:
            return self.newest(index / self.fps)
        # It runs one frame at a time: it has finished the others.
        return self._taken[-2] if len(self._taken) > 1 else None


def latency_source(latency: Any, seed: int, name: str) -> LatencySource | None:
    """Read where latencies come from.

    Args:
        latency: ``'measured'``; seconds; or a ``.json`` file with a list of seconds, to be drawn
            from, or with a list of the seconds of every frame for each video.
        seed: Of what is drawn. A frame is given the same latency in whatever order and process it
            is asked for.
        name: Of the setting, for messages.

    Returns:
        Seconds by ``video_id`` and index of a frame; None if they are to be measured.

    Raises:
        ValueError: If it is none of these.
    """
    if latency == MEASURED:
        return None
    if not isinstance(latency, (str, Path)):
        seconds = check_number(name, latency, '[0, inf)', f" seconds, {MEASURED!r} or a '.json'")
        return lambda video, index: seconds
    path, values = Path(latency), _read(latency, name)
    if isinstance(values, Mapping):
        return lambda video, index: _of_frame(values, video, index, path)
    return lambda video, index: random.Random(f'{seed}/{video}/{index}').choice(values)


def _read(latency: str | Path, name: str) -> Any:
    if Path(latency).suffix != '.json':
        raise ValueError(f'{name} must be seconds, {MEASURED!r} or a .json file, got {latency!r}')
    if not Path(latency).is_file():
        raise ValueError(f'{name}: there is no file {latency}')
    try:
        values = json.loads(Path(latency).read_text())
    except ValueError as error:
        raise ValueError(f'{name}: {latency} is no JSON: {error}') from error
    lists = list(values.values()) if isinstance(values, dict) else [values]
    if not lists or not all(isinstance(each, list) and each for each in lists):
        raise ValueError(
            f'{name}: {latency} must hold a list of seconds, or one for each video: '
            '{"0": [0.031, 0.028, ...], ...}'
        )
    for seconds in (seconds for each in lists for seconds in each):
        check_number(f'{name}: each entry of {latency}', seconds, '[0, inf)', ' seconds')
    return values


def _of_frame(values: Mapping[str, list[float]], video: Any, index: int, path: Path) -> float:
    own = values.get(str(video), [])
    if index >= len(own):
        raise ValueError(
            f'{path} has latencies for {len(own)} frames of video {video!r}, but the data set has '
            'more: measure on the same data set, or give one list, to be drawn from for each frame'
        )
    return own[index]
