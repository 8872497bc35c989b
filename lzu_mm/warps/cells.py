"""Where the cells of a feature level lie.

Convention: see :mod:`lzu_mm.warps.base`. Feature cell j of a level with stride s stands for
[j·s, (j+1)·s) of the canvas; the content of an image lies at the canvas' top left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import torch
from torch import Tensor


@dataclass(frozen=True)
class CellAxis:
    """The cells along one axis, in units of the content of each image.

    Attributes:
        position: Of the cells, shape (N, n), or (1, n) where all images are alike; above 1 beyond
            the content.
        step: From cell to cell, shape (N, 1) or (1, 1).
        offset: Of the first cell in steps: 0.5, or 0 with ``align_corners``.
        overflows: Whether a cell lies beyond the content of its image.
    """

    position: Tensor
    step: Tensor
    offset: float
    overflows: bool

    def index_of(self, position: Tensor, axes: int = 1) -> Tensor:
        """The cell, whole at its centre, at positions (N, …) with so many axes beside N."""
        return position / self.step.view(-1, *[1] * axes) - self.offset


def cell_axes(
    cells: tuple[int, int],
    content: Sequence[tuple[float, float]],
    canvas: tuple[int, int],
    like: Tensor,
    align_corners: bool = False,
) -> tuple[CellAxis, CellAxis]:
    """Lay the cells of a level over the images.

    Args:
        cells: (h, w) of the level.
        content: (h, w) of each image on the canvas, in pixels.
        canvas: (H, W) of the canvas, in pixels.
        like: Gives device and dtype.
        align_corners: Convention of the pixels.

    Returns:
        The columns (along x) and the rows (along y).
    """
    if align_corners:
        y, x = ((n - 1) / max(count - 1, 1) for n, count in zip(canvas, cells))
    else:
        y, x = infer_stride(canvas, cells)
    last = 1 if align_corners else 0
    offset = 0.0 if align_corners else 0.5
    return (
        _axis(cells[1], [x / max(w - last, 1) for _, w in content], offset, like),
        _axis(cells[0], [y / max(h - last, 1) for h, _ in content], offset, like),
    )


def infer_stride(canvas: tuple[int, int], cells: tuple[int, int]) -> tuple[float, float]:
    """True stride of a feature level, per axis.

    Backbones halve by rounding up (strided convolutions, padded pooling) or down (patches without
    padding), so that the size of the canvas over the number of cells is not the stride.

    Args:
        canvas: (H, W) of the canvas in pixels.
        cells: (h, w) of the feature level.

    Returns:
        The power of two that explains both numbers of cells, or else the plain ratios.
    """
    for round_up in (1, 0):
        stride = 1
        while stride <= 2 * max(canvas):
            if all((n + round_up * (stride - 1)) // stride == c for n, c in zip(canvas, cells)):
                return stride, stride
            stride *= 2
    return canvas[0] / cells[0], canvas[1] / cells[1]


def _axis(count: int, steps: list[float], offset: float, like: Tensor) -> CellAxis:
    overflows = (count - 1 + offset) * max(steps) > 1
    if len(set(steps)) == 1:
        steps = steps[:1]
    # Filled on the device: a tensor made from a list would be copied there, and waited for.
    step = torch.cat([torch.full((1, 1), s, device=like.device, dtype=like.dtype) for s in steps])
    index = torch.arange(count, device=like.device, dtype=like.dtype)
    return CellAxis((index + offset) * step, step, offset, overflows)
