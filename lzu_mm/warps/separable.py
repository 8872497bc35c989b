"""A warp with one monotone function per axis (LZU, Thavamani et al., CVPR 2023, section 3).

Convention: see :mod:`lzu_mm.warps.base`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Warp
from .piecewise import interpolate, invert


class SeparableWarp(Warp):
    """T(x, y) = (T_x(x), T_y(y)), each axis piecewise linear; the inverse is exact.

    Args:
        knots_x: T_x at k/(w_S - 1), strictly rising in [0, 1], shape (N, w_S).
        knots_y: T_y at k/(h_S - 1), strictly rising in [0, 1], shape (N, h_S).
    """

    def __init__(self, knots_x: Tensor, knots_y: Tensor) -> None:
        super().__init__()
        self.knots_x = knots_x
        self.knots_y = knots_y

    @property
    def knots_like(self) -> Tensor:
        """See :attr:`Warp.knots_like`."""
        return self.knots_x

    def index(self, samples: slice | Tensor) -> SeparableWarp:
        """See :meth:`Warp.index`."""
        return SeparableWarp(self.knots_x[samples], self.knots_y[samples])

    def map_x(self, x: Tensor, inverse: bool) -> Tensor:
        """T_x or its inverse at x (N, w) or (1, w); outside [0, 1] the identity."""
        return _map_axis(self.knots_x, x, inverse)

    def map_y(self, y: Tensor, inverse: bool) -> Tensor:
        """T_y or its inverse at y (N, h) or (1, h); outside [0, 1] the identity."""
        return _map_axis(self.knots_y, y, inverse)

    def map_points(self, points: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_points`."""
        function = invert if inverse else interpolate
        x, y = points.unbind(dim=-1)
        return torch.stack((function(self.knots_x, x), function(self.knots_y, y)), dim=-1)

    def map_axes(self, x: Tensor, y: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_axes`."""
        function = invert if inverse else interpolate
        mapped_x, mapped_y = function(self.knots_x, x), function(self.knots_y, y)
        h, w = y.shape[1], x.shape[1]
        return torch.stack(
            (mapped_x[:, None, :].expand(-1, h, -1), mapped_y[:, :, None].expand(-1, -1, w)), dim=-1
        )


def _map_axis(knots: Tensor, position: Tensor, inverse: bool) -> Tensor:
    batch = max(len(knots), len(position))
    inside = position.clamp(0, 1).expand(batch, -1).contiguous()
    mapped = (invert if inverse else interpolate)(knots.expand(batch, -1), inside)
    return torch.where((position >= 0) & (position <= 1), mapped, position)
