"""A warp with one monotone function per axis (LZU, Thavamani et al., CVPR 2023, section 3).

Convention: see :mod:`lzu_mm.warps.base`.
"""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

from . import fused
from .base import Warp
from .piecewise import interpolate, invert


class SeparableWarp(Warp):
    """T(x, y) = (T_x(x), T_y(y)), each axis piecewise linear; the inverse is exact.

    Args:
        knots_x: T_x at k/(n - 1), strictly rising in [0, 1], shape (N, n).
        knots_y: T_y at k/(m - 1), strictly rising in [0, 1], shape (N, m).
        of_inverse: The knots are values of T⁻¹ instead of T.

    Example:
        >>> left = SeparableWarp(torch.tensor([[0, 0.25, 1]]), torch.tensor([[0.0, 1]]))
        >>> left.map_x(torch.tensor([[0.25, 0.5, 0.75]]), inverse=False)
        tensor([[0.1250, 0.2500, 0.6250]])
    """

    def __init__(self, knots_x: Tensor, knots_y: Tensor, of_inverse: bool = False) -> None:
        super().__init__()
        self.knots_x = knots_x
        self.knots_y = knots_y
        self.of_inverse = of_inverse

    @property
    def knots_like(self) -> Tensor:
        """See :attr:`Warp.knots_like`."""
        return self.knots_x

    def index(self, samples: slice | Tensor) -> SeparableWarp:
        """See :meth:`Warp.index`."""
        return SeparableWarp(self.knots_x[samples], self.knots_y[samples], self.of_inverse)

    def map_x(self, x: Tensor, inverse: bool) -> Tensor:
        """T_x or its inverse at x (N, w) or (1, w); outside [0, 1] the identity."""
        return self._map_axis(self.knots_x, x, inverse)

    def map_y(self, y: Tensor, inverse: bool) -> Tensor:
        """T_y or its inverse at y (N, h) or (1, h); outside [0, 1] the identity."""
        return self._map_axis(self.knots_y, y, inverse)

    def map_points(self, points: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_points`."""
        function = self._function(inverse)
        x, y = points.unbind(dim=-1)
        return torch.stack((function(self.knots_x, x), function(self.knots_y, y)), dim=-1)

    def map_axes(self, x: Tensor, y: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_axes`."""
        function = self._function(inverse)
        mapped_x, mapped_y = function(self.knots_x, x), function(self.knots_y, y)
        h, w = y.shape[1], x.shape[1]
        return torch.stack(
            (mapped_x[:, None, :].expand(-1, h, -1), mapped_y[:, :, None].expand(-1, -1, w)), dim=-1
        )

    def _map_axis(self, knots: Tensor, position: Tensor, inverse: bool) -> Tensor:
        if not position.requires_grad and fused.takes(position, knots):
            return fused.map_axis(knots, position, invert=inverse != self.of_inverse)
        batch = max(len(knots), len(position))
        inside = position.clamp(0, 1).expand(batch, -1).contiguous()
        mapped = self._function(inverse)(knots.expand(batch, -1), inside)
        return torch.where((position >= 0) & (position <= 1), mapped, position)

    def _function(self, inverse: bool) -> Callable[[Tensor, Tensor], Tensor]:
        return interpolate if inverse == self.of_inverse else invert


def identity_warp(like: Tensor) -> SeparableWarp:
    """The warp that maps every point to itself, for any batch.

    Args:
        like: Gives the device; the warp is in float32 at least.
    """
    knots = torch.linspace(
        0, 1, 2, device=like.device, dtype=torch.promote_types(like.dtype, torch.float32)
    )[None]
    return SeparableWarp(knots, knots)
