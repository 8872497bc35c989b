"""A non-separable warp: bilinear in every cell of a grid of knots, with an exact inverse.

Convention: see :mod:`lzu_mm.warps.base`.

Finding the cell of a source point needs no search over cells. T_x rises along every row of knots
and T_y along every column, so a row of knots is the graph of a function y = H_r(x), and these
graphs are stacked without crossing: the row of cells that holds (x, y) follows from sorting y
among H_0(x) < H_1(x) < …, and the column of cells likewise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Warp
from .piecewise import locate, segment


class BilinearWarp(Warp):
    """T with a 2-vector per knot, bilinear in between.

    Args:
        knots: T at (k/(w_S - 1), l/(h_S - 1)), shape (N, h_S, w_S, 2), (x, y) last. The x must rise
            strictly along every row, the y along every column, and every cell must be convex.
    """

    def __init__(self, knots: Tensor) -> None:
        super().__init__()
        self.knots = knots

    @property
    def knots_like(self) -> Tensor:
        """See :attr:`Warp.knots_like`."""
        return self.knots

    def index(self, samples: slice | Tensor) -> BilinearWarp:
        """See :meth:`Warp.index`."""
        return BilinearWarp(self.knots[samples])

    def map_points(self, points: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_points`."""
        if not inverse:
            return self._forward(points)
        x, y = points.detach().unbind(dim=-1)
        with torch.no_grad():
            row = _band(self._row_heights(x), y[..., None])[..., 0]
            column = _band(self._column_offsets(y), x[..., None])[..., 0]
        return self._invert_in_cell(points, row, column)

    def map_axes(self, x: Tensor, y: Tensor, inverse: bool) -> Tensor:
        """See :meth:`Warp.map_axes`."""
        batch, h, w = len(self), y.shape[1], x.shape[1]
        raster = torch.stack(
            (x[:, None, :].expand(-1, h, -1), y[:, :, None].expand(-1, -1, w)), dim=-1
        ).flatten(1, 2)
        if not inverse:
            return self._forward(raster).view(batch, h, w, 2)
        with torch.no_grad():
            row = _band(self._row_heights(x), y[:, None].expand(-1, w, -1)).transpose(1, 2)
            column = _band(self._column_offsets(y), x[:, None].expand(-1, h, -1))
        zoomed = self._invert_in_cell(raster, row.flatten(1), column.flatten(1))
        return zoomed.view(batch, h, w, 2)

    def _row_heights(self, x: Tensor) -> Tensor:
        """Height y of every row of knots at the positions x (N, Q): (N, Q, h_S)."""
        return _graphs(self.knots[..., 0], self.knots[..., 1], x)

    def _column_offsets(self, y: Tensor) -> Tensor:
        """Offset x of every column of knots at the positions y (N, Q): (N, Q, w_S)."""
        columns = self.knots.transpose(1, 2)
        return _graphs(columns[..., 1], columns[..., 0], y)

    def _corners(self, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The cell as corner + a·right + b·down + a·b·twist, each (N, P, 2)."""
        width = self.knots.shape[2]
        knots = self.knots.flatten(1, 2)

        def take(offset: int) -> Tensor:
            index = (row * width + column + offset)[..., None].expand(-1, -1, 2)
            return knots.gather(1, index)

        corner, right, down, far = take(0), take(1), take(width), take(width + 1)
        return corner, right - corner, down - corner, corner - right - down + far

    def _forward(self, points: Tensor) -> Tensor:
        column, a = segment(points[..., 0], self.knots.shape[2])
        row, b = segment(points[..., 1], self.knots.shape[1])
        return _bilinear(self._corners(row, column), a, b)

    def _invert_in_cell(self, points: Tensor, row: Tensor, column: Tensor) -> Tensor:
        cell = self._corners(row, column)
        with torch.no_grad():
            a, b = _solve(cell, points)
            _, right, down, twist = cell
            along = right + b[..., None] * twist
            across = down + a[..., None] * twist
            # Positive inside a convex cell; beyond the reach of T it may be anything.
            determinant = _cross(along, across).clamp_min(torch.finfo(points.dtype).eps ** 2)
        # One Newton step from the solution: it leaves the value where it is and carries the
        # derivative of the inverse function, with no root to differentiate.
        residual = points - _bilinear(cell, a, b)
        a = (a + _cross(residual, across) / determinant).clamp(0, 1)
        b = (b + _cross(along, residual) / determinant).clamp(0, 1)
        x = (column + a) / (self.knots.shape[2] - 1)
        y = (row + b) / (self.knots.shape[1] - 1)
        return torch.stack((x, y), dim=-1)


def _graphs(argument: Tensor, value: Tensor, query: Tensor) -> Tensor:
    """Evaluate L graphs (N, L, n) at shared queries (N, Q), clamped at the ends: (N, Q, L)."""
    query = query[:, None].expand(-1, argument.shape[1], -1)
    left, fraction = locate(argument, query)
    low, high = value.gather(-1, left), value.gather(-1, left + 1)
    return (low + fraction * (high - low)).transpose(1, 2).contiguous()


def _band(levels: Tensor, target: Tensor) -> Tensor:
    """Index of the band between rising levels (N, Q, L) that holds each target (N, Q, K)."""
    above = torch.searchsorted(levels, target.contiguous())
    return (above - 1).clamp(0, levels.shape[-1] - 2)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _bilinear(cell: tuple[Tensor, ...], a: Tensor, b: Tensor) -> Tensor:
    corner, right, down, twist = cell
    a, b = a[..., None], b[..., None]
    return corner + a * right + b * down + a * b * twist


def _solve(cell: tuple[Tensor, ...], points: Tensor) -> tuple[Tensor, Tensor]:
    """Closed-form inverse of the bilinear map of a convex cell.

    Eliminating a from points = corner + a·right + b·down + a·b·twist leaves a quadratic in b; of
    its roots the one written here lies in the cell, and the form stays exact as the twist vanishes.
    A point outside the cell, as only those beyond the reach of T are, gives a or b outside [0, 1].
    """
    corner, right, down, twist = cell
    offset = points - corner
    constant = _cross(offset, right)
    linear = _cross(right, down) + _cross(offset, twist)
    square = _cross(twist, down)
    root = (linear.square() - 4 * square * constant).clamp_min(0).sqrt()
    tiny = torch.finfo(points.dtype).eps ** 2
    b = (-2 * constant / (linear + root).clamp_min(tiny))[..., None]
    along = right + b * twist
    a = ((offset - b * down) * along).sum(-1) / along.square().sum(-1).clamp_min(tiny)
    return a, b[..., 0]
