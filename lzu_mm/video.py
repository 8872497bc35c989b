"""Videos at the rate of a camera: sources that do not wait, stages that overlap, and files."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, Iterable, Iterator, TypeVar

import cv2
import mmcv
import numpy as np

from .files import replacing

__all__ = ['Background', 'Camera', 'VideoFile', 'is_camera']

Item = TypeVar('Item')
_STREAMS = ('rtsp://', 'rtsps://', 'rtmp://', 'rtp://', 'udp://', 'srt://')


class Background(Iterator[Item], Generic[Item]):
    """Goes through items in a thread of its own, ahead of whoever takes them.

    Several of them in a row, each over a generator that reads the one before, are stages that
    overlap. An error comes to light where the next item is asked for. The thread ends with the
    program.

    Args:
        items: What to go through.
        ahead: Items that may wait to be taken, at least 1.
        drop: Where too many wait, forget the oldest rather than stop: none waits for long.

    Attributes:
        dropped: How many were forgotten.

    Example:
        >>> squares = Background(n * n for n in range(4))
        >>> list(Background(str(square) for square in squares))
        ['0', '1', '4', '9']
    """

    def __init__(self, items: Iterable[Item], ahead: int = 2, drop: bool = False) -> None:
        self.dropped = 0
        self._ahead = ahead
        self._drop = drop
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more items, not even the one under way; those that wait can still be had."""
        with self._changed:
            self._closed = self._ended = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Let the thread end, once it has ended or is closed.

        Args:
            timeout: Seconds after which it is given up.
        """
        self._thread.join(timeout)

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
        if self._error is not None:
            raise self._error
        raise StopIteration

    def _run(self, items: Iterable[Item]) -> None:
        try:
            for item in items:
                if not self._put(item):
                    break
        except BaseException as error:  # raised again by __next__
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        with self._changed:
            while self._drop and len(self._waiting) >= self._ahead:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: self._closed or len(self._waiting) < self._ahead)
            if self._closed:
                return False
            self._waiting.append(item)
            self._changed.notify_all()
            return True


class Camera:
    """Frames of a webcam or a network stream, (H, W, 3) uint8 BGR, until it ends.

    Args:
        source: Index of a webcam, or an address such as ``rtsp://…``.

    Attributes:
        opened: Whether it could be opened.
        width: Of the frames, in pixels.
        fps: Frames per second as the source says, which may be wrong.
        frame_cnt: 0, for nobody knows.
    """

    frame_cnt = 0

    def __init__(self, source: str) -> None:
        self._capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
        # Frames of the past are of no use.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.opened = self._capture.isOpened()
        self.width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.fps = self._capture.get(cv2.CAP_PROP_FPS)

    def __iter__(self) -> Iterator[np.ndarray]:
        while True:
            read, frame = self._capture.read()
            if not read:
                self._capture.release()
                return
            yield frame


def is_camera(source: str) -> bool:
    """Whether a source is a webcam's index or a stream of a camera, which waits for nobody."""
    return source.isdigit() or source.lower().startswith(_STREAMS)


class VideoFile:
    """A video to write; it gets its name once it is whole.

    All pictures get the size of the first, made even as video files require.

    Args:
        path: An ``.mp4``.
        fps: Frames per second.

    Raises:
        OSError: If it cannot be written.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self.size: tuple[int, int] | None = None
        self.count = 0
        self._writer: cv2.VideoWriter | None = None
        self._files = ExitStack()

    def add(self, picture: np.ndarray) -> None:
        """Write a picture.

        Args:
            picture: (h, w, 3) uint8 BGR.
        """
        if self._writer is None or self.size is None:
            h, w = self.size = (
                picture.shape[0] + picture.shape[0] % 2,
                picture.shape[1] + picture.shape[1] % 2,
            )
            self._draft = self._files.enter_context(replacing(self.path))
            codec = cv2.VideoWriter.fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self._draft), codec, self.fps, (w, h))
            if not self._writer.isOpened():
                raise OSError(f'cannot write {self.path} as a video')
        self._writer.write(_pad(picture, self.size))
        self.count += 1

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *error: Any) -> None:
        """Finish the file, which is kept if it is whole."""
        if self._writer is not None:
            self._writer.release()
        if self._writer is None or error[0] is not None:
            self._files.__exit__(*error)
            return
        with self._files:
            # OpenCV tells of no failure to write.
            written = mmcv.VideoReader(str(self._draft))
            if not written.opened or written.frame_cnt != self.count:
                raise OSError(f'{self.path} could not be written: is the disk full?')


def _pad(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shrink a picture that is too large, and pad it at the bottom and the right."""
    ratio = min(1.0, size[0] / picture.shape[0], size[1] / picture.shape[1])
    if ratio < 1:
        picture = mmcv.imrescale(picture, ratio)
    return mmcv.impad(picture, shape=size, pad_val=tuple(int(n) for n in picture[0, 0]))
