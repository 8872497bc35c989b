"""Where the cells of a feature level lie.

Convention: see :mod:`lzu_mm.warps.base`. Feature cell j of a level with stride s stands for
[j·s, (j+1)·s) of the canvas; the content of an image lies at the canvas' top left. A frame of
factor f lays f cells where the level has one: its cell j stands for [j·s/f, (j+1)·s/f).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Sequence, Tuple

import torch
from torch import Tensor

from . import fused
from .compat import is_capturing

Frame = Tuple[float, float]


@dataclass(frozen=True)
class CellAxis:
    """The cells of the frame along one axis, n of them.

    Attributes:
        position: Of the cells in units of the content of each image, shape (N, n), or (1, n) where
            all images are alike; above 1 beyond the content.
        index: Of the cells among those of the level, shape (1, n); whole without a finer frame.
        count: Cells of the level.
        step: From cell to cell of the level, in units of the content, shape (N, 1) or (1, 1).
        offset: Of the first cell of the level in steps: 0.5, or 0 with ``align_corners``.
        factor: Cells of the frame for each of the level.
        overflows: Whether a cell lies beyond the content of its image.
    """

    position: Tensor
    index: Tensor
    count: int
    step: Tensor
    offset: float
    factor: float
    overflows: bool

    def index_of(self, position: Tensor, axes: int = 1) -> Tensor:
        """The cell of the level, whole at its centre, at positions (N, …) with ``axes`` axes."""
        return position / self.step.view(-1, *[1] * axes) - self.offset


def cell_axes(
    cells: tuple[int, int],
    content: Sequence[tuple[float, float]],
    canvas: tuple[int, int],
    like: Tensor,
    align_corners: bool = False,
    frame: Frame = (1, 1),
) -> tuple[CellAxis, CellAxis]:
    """Lay the cells of a level, or of a finer frame, over the images.

    Args:
        cells: (h, w) of the level.
        content: (h, w) of each image on the canvas, in pixels.
        canvas: (H, W) of the canvas, in pixels.
        like: Gives device and dtype.
        align_corners: Convention of the pixels; takes no other frame than (1, 1).
        frame: Cells (along y, along x) for each cell of the level.

    Returns:
        The columns (along x) and the rows (along y).
    """
    content = tuple((h, w) for h, w in content)
    canvas, frame = (canvas[0], canvas[1]), (frame[0], frame[1])
    keep = fused.takes(like, like) and not is_capturing(like)
    make = _remembered if keep else _cell_axes
    # What is made in inference mode could not be used in training later.
    with torch.inference_mode(False) if keep else nullcontext():
        return make(cells, content, canvas, like.device, like.dtype, align_corners, frame)


def _cell_axes(
    cells: tuple[int, int],
    content: tuple[tuple[float, float], ...],
    canvas: tuple[int, int],
    device: torch.device,
    dtype: torch.dtype,
    align_corners: bool,
    frame: Frame,
) -> tuple[CellAxis, CellAxis]:
    if align_corners:
        # One pixel alone stands for an axis of any length.
        y, x = (max(n - 1, 1) / max(count - 1, 1) for n, count in zip(canvas, cells))
    else:
        y, x = infer_stride(canvas, cells)
    last = 1 if align_corners else 0
    offset = 0.0 if align_corners else 0.5
    return (
        _axis(
            cells[1], [x / max(w - last, 1) for _, w in content], offset, frame[1], device, dtype
        ),
        _axis(
            cells[0], [y / max(h - last, 1) for h, _ in content], offset, frame[0], device, dtype
        ),
    )


# On a GPU the launches of its kernels are worth saving: a video has a warp for each frame.
_remembered = lru_cache(maxsize=64)(_cell_axes)


def frame_cells(cells: tuple[int, int], frame: Frame) -> tuple[int, int]:
    """(h, w) of a frame over a level of (h, w) cells, at least one each."""
    h, w = (max(round(float(n * factor)), 1) for n, factor in zip(cells, frame))
    return h, w


def infer_stride(canvas: tuple[int, int], cells: tuple[int, int]) -> tuple[float, float]:
    """True stride of a feature level, per axis.

    Backbones halve by rounding up (strided convolutions, padded pooling) or down (patches without
    padding), so that the size of the canvas over the number of cells is not the stride.

    Args:
        canvas: (H, W) of the canvas in pixels.
        cells: (h, w) of the feature level.

    Returns:
        The power of two that explains both numbers of cells, or else the plain ratios, (y, x).

    Example:
        >>> infer_stride((600, 960), (5, 8))  # P7 of an FPN: 600 / 128 = 4.7, rounded up
        (128, 128)
        >>> infer_stride((600, 960), (100, 100))
        (6.0, 9.6)
    """
    for round_up in (1, 0):
        stride = 1
        while stride <= 2 * max(canvas):
            if all((n + round_up * (stride - 1)) // stride == c for n, c in zip(canvas, cells)):
                return stride, stride
            stride *= 2
    return canvas[0] / cells[0], canvas[1] / cells[1]


def _axis(
    count: int,
    steps: list[float],
    offset: float,
    factor: float,
    device: torch.device,
    dtype: torch.dtype,
) -> CellAxis:
    fine, _ = frame_cells((count, 1), (factor, 1))
    overflows = (fine - 1 + offset) / factor * max(steps) > 1
    if len(set(steps)) == 1:
        steps = steps[:1]
    # Filled on the device: a tensor made from a list would be copied there, and waited for.
    step = torch.cat([torch.full((1, 1), s, device=device, dtype=dtype) for s in steps])
    place = (torch.arange(fine, device=device, dtype=dtype) + offset) / factor
    index = (place - offset)[None]
    return CellAxis(place * step, index, count, step, offset, factor, overflows)
