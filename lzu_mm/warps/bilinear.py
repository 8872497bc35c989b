"""A non-separable warp: bilinear in every cell of a grid of knots, with an exact inverse.

Convention: see :mod:`lzu_mm.warps.base`.

Finding the cell of a source point needs no search over cells. T_x rises along every row of knots
and T_y along every column, so a row of knots is the graph of a function y = H_r(x), and these
graphs are stacked without crossing: the row of cells that holds (x, y) follows from sorting y
among H_0(x) < H_1(x) < …, and the column of cells likewise.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .base import Warp
from .piecewise import locate, segment, segments_of_axis


class BilinearWarp(Warp):
    """T with a 2-vector per knot, bilinear in between.

    Args:
        knots: T at (k/(w_S - 1), l/(h_S - 1)), shape (N, h_S, w_S, 2), (x, y) last. The x must rise
            strictly along every row, the y along every column, and every cell must be convex.

    Example:
        >>> knots = torch.tensor([[[0, 0], [0.25, 0], [1, 0]], [[0, 1], [0.75, 1], [1, 1]]])
        >>> warp = BilinearWarp(knots[None])  # the middle column of knots leans
        >>> warp.to_source(torch.tensor([[[0.5, 0.0], [0.5, 0.5], [0.5, 1.0]]]))
        tensor([[[0.2500, 0.0000],
                 [0.5000, 0.5000],
                 [0.7500, 1.0000]]])
    """

    def __init__(self, knots: Tensor) -> None:
        super().__init__()
        self.knots = knots
        self._coefficients = _coefficients(knots)

    @property
    def knots_like(self) -> Tensor:
        """See :attr:`Warp.knots_like`."""
        return self.knots

    def index(self, samples: slice | Tensor) -> BilinearWarp:
        """See :meth:`Warp.index`."""
        return BilinearWarp(self.knots[samples])

    def map_points(self, points: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_points`."""
        x, y = (axis.contiguous() for axis in points.unbind(dim=-1))
        if not inverse:
            return self._forward(x, y)
        with torch.no_grad():
            row = _bands_of_points(self._row_heights(x), y)
            column = _bands_of_points(self._column_offsets(y), x)
        return self._invert_in_cell(x, y, row, column)

    def map_axes(self, x: Tensor, y: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_axes`."""
        batch, h, w = len(self), y.shape[1], x.shape[1]
        points = x[:, None].expand(-1, h, -1).flatten(1), y[..., None].expand(-1, -1, w).flatten(1)
        if not inverse:
            return self._forward(*points).view(batch, h, w, 2)
        with torch.no_grad():
            heights = _graphs_on_axis(self.knots[..., 0], self.knots[..., 1], x)
            columns = self.knots.transpose(1, 2)
            offsets = _graphs_on_axis(columns[..., 1], columns[..., 0], y)
            row = segments_of_axis(heights, y, dim=1)
            column = segments_of_axis(offsets, x, dim=1).transpose(1, 2)
        zoomed = self._invert_in_cell(*points, row.flatten(1), column.flatten(1))
        return zoomed.view(batch, h, w, 2)

    def _row_heights(self, x: Tensor) -> Tensor:
        """Height y of every row of knots at the positions x (N, Q): (N, h_S, Q)."""
        return _graphs(self.knots[..., 0], self.knots[..., 1], x)

    def _column_offsets(self, y: Tensor) -> Tensor:
        """Offset x of every column of knots at the positions y (N, Q): (N, w_S, Q)."""
        columns = self.knots.transpose(1, 2)
        return _graphs(columns[..., 1], columns[..., 0], y)

    def _cell(self, row: Tensor, column: Tensor) -> _Cell:
        """The cells (N, P) as corner + a·right + b·down + a·b·twist."""
        index = (row * (self.knots.shape[2] - 1) + column).expand(8, -1, -1)
        return _Cell(*self._coefficients.gather(2, index).unbind())

    def _forward(self, x: Tensor, y: Tensor) -> Tensor:
        column, a = segment(x, self.knots.shape[2])
        row, b = segment(y, self.knots.shape[1])
        return torch.stack(self._cell(row, column).at(a, b), dim=-1)

    def _invert_in_cell(self, x: Tensor, y: Tensor, row: Tensor, column: Tensor) -> Tensor:
        cell = self._cell(row, column)
        with torch.no_grad():
            a, b = cell.solve(x, y)
        if self.knots.requires_grad or x.requires_grad or y.requires_grad:
            a, b = cell.newton_step(x, y, a, b)
        a = (column + a.clamp(0, 1)) / (self.knots.shape[2] - 1)
        b = (row + b.clamp(0, 1)) / (self.knots.shape[1] - 1)
        return torch.stack((a, b), dim=-1)


class _Cell(NamedTuple):
    """Cells as corner + a·right + b·down + a·b·twist, all coefficients of one shape."""

    x: Tensor
    y: Tensor
    right_x: Tensor
    right_y: Tensor
    down_x: Tensor
    down_y: Tensor
    twist_x: Tensor
    twist_y: Tensor

    def at(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The points at (a, b)."""
        return (
            self.x + a * (self.right_x + b * self.twist_x) + b * self.down_x,
            self.y + a * (self.right_y + b * self.twist_y) + b * self.down_y,
        )

    def solve(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Closed-form inverse in convex cells.

        Eliminating a from point = corner + a·right + b·down + a·b·twist leaves a quadratic in b; of
        its roots the one written here lies in the cell, and the form stays exact as the twist
        vanishes. A point outside the cell, as only those beyond the reach of T are, gives a or b
        outside [0, 1].
        """
        x, y = x - self.x, y - self.y
        tiny = torch.finfo(x.dtype).eps ** 2
        # In place, for half the memory to go through.
        constant = (x * self.right_y).addcmul_(y, self.right_x, value=-1)
        linear = (self.right_x * self.down_y).addcmul_(self.right_y, self.down_x, value=-1)
        linear.addcmul_(x, self.twist_y).addcmul_(y, self.twist_x, value=-1)
        square = (self.twist_x * self.down_y).addcmul_(self.twist_y, self.down_x, value=-1)
        root = (linear * linear).addcmul_(square, constant, value=-4).clamp_min_(0).sqrt_()
        b = constant.mul_(-2).div_(root.add_(linear).clamp_min_(tiny))
        along_x = torch.addcmul(self.right_x, b, self.twist_x)
        along_y = torch.addcmul(self.right_y, b, self.twist_y)
        length = (along_x * along_x).addcmul_(along_y, along_y).clamp_min_(tiny)
        along_x.mul_(x.addcmul_(b, self.down_x, value=-1))
        a = along_x.addcmul_(y.addcmul_(b, self.down_y, value=-1), along_y).div_(length)
        return a, b

    def newton_step(self, x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """One Newton step from the solution.

        It leaves the value where it is and carries the derivative of the inverse function, with no
        root to differentiate.
        """
        with torch.no_grad():
            along_x, along_y = self.right_x + b * self.twist_x, self.right_y + b * self.twist_y
            across_x, across_y = self.down_x + a * self.twist_x, self.down_y + a * self.twist_y
            # Positive inside a convex cell; beyond the reach of T it may be anything.
            determinant = along_x * across_y - along_y * across_x
            determinant = determinant.clamp_min(torch.finfo(x.dtype).eps ** 2)
        here_x, here_y = self.at(a, b)
        x, y = x - here_x, y - here_y
        return (
            a + (x * across_y - y * across_x) / determinant,
            b + (along_x * y - along_y * x) / determinant,
        )


def _coefficients(knots: Tensor) -> Tensor:
    """The coefficients of :class:`_Cell` for every cell, a plane each: (8, N, cells)."""
    knots = knots.permute(3, 0, 1, 2)
    corner = knots[..., :-1, :-1]
    right = knots[..., :-1, 1:] - corner
    down = knots[..., 1:, :-1] - corner
    twist = knots[..., 1:, 1:] - corner - right - down
    return torch.cat((corner, right, down, twist)).flatten(2)


def _graphs(argument: Tensor, value: Tensor, query: Tensor) -> Tensor:
    """Evaluate L graphs (N, L, n) at shared queries (N, Q), clamped at the ends: (N, L, Q)."""
    left, fraction = locate(argument, query[:, None].expand(-1, argument.shape[1], -1))
    low, high = value.gather(-1, left), value.gather(-1, left + 1)
    return low + fraction * (high - low)


def _graphs_on_axis(argument: Tensor, value: Tensor, query: Tensor) -> Tensor:
    """The same for even queries."""
    left = segments_of_axis(argument, query, dim=2)
    right = left + 1
    low, low_value = argument.gather(-1, left), value.gather(-1, left)
    fraction = (query[:, None] - low).div_(argument.gather(-1, right).sub_(low)).clamp_(0, 1)
    return torch.lerp(low_value, value.gather(-1, right), fraction)


def _bands_of_points(levels: Tensor, target: Tensor) -> Tensor:
    """Index of the band between rising levels (N, L, P) that holds each target (N, P)."""
    above = torch.searchsorted(levels.transpose(1, 2).contiguous(), target[..., None])[..., 0]
    return (above - 1).clamp(0, levels.shape[1] - 2)
