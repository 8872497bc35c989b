"""What each pixel of a separable warp takes along both axes, as the fused kernels want it.

Convention: positions are pixel indices, see :mod:`lzu_mm.warps.sampling`.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ['Taps']


class Taps(NamedTuple):
    """A triangle along each axis for each output column and row, all float32 and contiguous.

    Attributes:
        x: Of the columns, shape (N, w), or (1, w) for all images.
        y: Of the rows, shape (N, h) or (1, h).
        scale_x: Half the width of the triangle, at least 1, with the shape of ``x``. None for plain
            bilinear sampling, which keeps to the border as ``grid_sample`` does.
        scale_y: The same along y; None together with ``scale_x``.
        own_x: Where columns beyond the content are taken from, (1, w). None if there are none.
        own_y: The same along y; None together with ``own_x``.
        beyond_x: Which columns these are, bool, with the shape of ``x``.
        beyond_y: Which rows; what is beyond along either axis stays.
    """

    x: Tensor
    y: Tensor
    scale_x: Tensor | None = None
    scale_y: Tensor | None = None
    own_x: Tensor | None = None
    own_y: Tensor | None = None
    beyond_x: Tensor | None = None
    beyond_y: Tensor | None = None
