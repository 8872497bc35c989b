"""Unzoom: lay features of a zoomed image as if it had been resized uniformly.

Convention: see :mod:`lzu_mm.warps.base` and :mod:`lzu_mm.warps.cells`.

LZU takes the features at T⁻¹ of each cell. Two things of ours keep more of the detail that the zoom
has won: area weights average over the features that a cell stands for, and a finer frame has more
cells to lay them on.

On a CPU, channels-last features of a separable warp are sampled one axis after the other.
``grid_sample`` is faster on contiguous features, and non-separable warps need it. On a GPU
separable warps have a kernel of their own (:mod:`lzu_mm.warps.fused`).
"""

from __future__ import annotations

from typing import Callable, Sequence

import torch
from torch import Tensor

from . import fused
from .area import AreaWeights, settle, triangles, weigh
from .base import Warp
from .cells import CellAxis, Frame, cell_axes, frame_cells
from .sampling import axes_to_grid, is_channels_last, sample_axes, sample_grid, to_grid
from .separable import SeparableWarp
from .taps import Taps


def unzoom_feature(
    feature: Tensor,
    warp: Warp,
    content: Sequence[tuple[float, float]],
    canvas: tuple[int, int],
    align_corners: bool = False,
    antialias: bool = False,
    frame: Frame = (1, 1),
) -> Tensor:
    """Unzoom one level of features, so that it lies as if the image had been resized uniformly.

    Args:
        feature: Features of the zoomed images, shape (N, C, h_f, w_f).
        warp: The warps of these N images, or one for all.
        content: (h, w) of each image on the canvas, in pixels.
        canvas: (H, W) of the padded batch of images.
        align_corners: Convention of the pixels of images and features.
        antialias: Where a cell stands for more than one of the level, average over them by area
            instead of taking the nearest; needs a separable warp and ``align_corners=False``.
            Where the warp is the identity, features stay as they are to the bit.
        frame: Cells (along y, along x) to lay for each cell of the level: strides shrink by as
            much. Needs ``align_corners=False`` unless it is (1, 1).

    Returns:
        Unzoomed features, (N, C, f_y·h_f, f_x·w_f), with the dtype of ``feature`` and, without
        ``antialias``, its memory format; beyond the content they stay where they are.

    Raises:
        ValueError: If options do not go together.

    Convention:
        Cell j of a level with stride s stands for pixels [j·s, (j + 1)·s) of the canvas, on which
        the content lies at the top left.

    Example:
        >>> from lzu_mm.warps import saliency_to_warp
        >>> warp = saliency_to_warp(torch.rand(2, 1, 31, 51))
        >>> feature = torch.rand(2, 8, 38, 60)  # stride 16
        >>> content = [(600, 960), (600, 900)]  # the second image is padded to the right
        >>> unzoom_feature(feature, warp, content, canvas=(608, 960)).shape
        torch.Size([2, 8, 38, 60])
    """
    cells = (feature.shape[-2], feature.shape[-1])
    if align_corners and (antialias or tuple(frame) != (1, 1)):
        raise ValueError('antialias and a finer frame take align_corners=False')
    level = (cells, tuple(content), tuple(canvas), align_corners, tuple(frame))

    def axes() -> tuple[CellAxis, CellAxis]:
        return cell_axes(cells, content, canvas, warp.knots_like, align_corners, frame)

    if isinstance(warp, SeparableWarp) and fused.takes(feature, warp.knots_like):
        taps = warp.once(('taps', antialias, *level), lambda: unzoom_taps(warp, *axes(), antialias))
        return fused.resample(feature, taps, feature.dtype)
    if antialias:
        if not isinstance(warp, SeparableWarp):
            raise ValueError('antialias takes a separable warp: set separable=True')
        return _unzoom_by_area(
            feature, *warp.once(('area', *level), lambda: area_weights(warp, *axes()))
        )
    if not isinstance(warp, SeparableWarp):
        grid = warp.once(('grid', *level), lambda: unzoom_grid(warp, *axes()))
        return sample_grid(feature, grid)
    x, y, beyond, own = warp.once(('axes', *level), lambda: _unzoom_axes(warp, *axes()))
    as_fine = frame_cells(cells, frame) == cells
    if feature.device.type == 'cpu' and is_channels_last(feature) and as_fine:
        sampled = sample_axes(feature, x, y)
        return sampled if beyond is None else torch.where(beyond, feature, sampled)
    grid = warp.once(('grid', *level), lambda: _axes_grid(x, y, beyond, own, cells))
    return sample_grid(feature, grid)


def unzoom_grid(warp: Warp, x: CellAxis, y: CellAxis) -> Tensor:
    """Where the cells of a level are taken from, for ``F.grid_sample``: (N, h, w, 2)."""
    inside = not (x.overflows or y.overflows)
    points = warp.raster(x.position, y.position, inverse=True, inside=inside)
    columns = x.index_of(points[..., 0], 2)
    rows = y.index_of(points[..., 1], 2)
    return to_grid(columns, rows, (y.count, x.count))


def _axes_grid(
    x: Tensor,
    y: Tensor,
    beyond: Tensor | None,
    own: tuple[Tensor, Tensor],
    cells: tuple[int, int],
) -> Tensor:
    grid = axes_to_grid(x, y, cells)
    if beyond is None:
        return grid
    # Here rather than on the sampled features, of which there are many times more.
    return torch.where(beyond[:, 0, :, :, None], axes_to_grid(*own, cells), grid)


def _unzoom_axes(
    warp: SeparableWarp, x: CellAxis, y: CellAxis
) -> tuple[Tensor, Tensor, Tensor | None, tuple[Tensor, Tensor]]:
    """Columns and rows to sample at, which cells lie beyond the content, and where those stay."""
    return (
        x.index_of(warp.map_x(x.position, inverse=True)),
        y.index_of(warp.map_y(y.position, inverse=True)),
        cells_beyond(x, y),
        (x.index, y.index),
    )


def cells_beyond(x: CellAxis, y: CellAxis) -> Tensor | None:
    """Cells beyond the content, (N, 1, h, w); None if there are none."""
    if not (x.overflows or y.overflows):
        return None
    return ((x.position > 1)[:, None, :] | (y.position > 1)[:, :, None])[:, None]


def area_weights(
    warp: SeparableWarp, x: CellAxis, y: CellAxis
) -> tuple[AreaWeights, AreaWeights | None, Tensor | None]:
    """What cells take; what those beyond the content take, and which these are."""
    weights = AreaWeights(
        triangles(*_axis_areas(y, warp.map_y), y.count),
        triangles(*_axis_areas(x, warp.map_x), x.count),
    )
    beyond = cells_beyond(x, y)
    if beyond is None:
        return weights, None, None
    stay = (triangles(axis.index, torch.ones_like(axis.index), axis.count) for axis in (y, x))
    return weights, AreaWeights(*stay), beyond


def unzoom_taps(warp: SeparableWarp, x: CellAxis, y: CellAxis, antialias: bool) -> Taps:
    """The same as :func:`area_weights`, or as the grid of points, for the fused kernels."""
    columns, wide = _axis_taps(x, warp.map_x, antialias)
    rows, high = _axis_taps(y, warp.map_y, antialias)
    if not (x.overflows or y.overflows):
        return Taps(columns, rows, wide, high)
    beyond = ((axis.position > 1).expand(len(at), -1) for axis, at in ((x, columns), (y, rows)))
    beyond_x, beyond_y = (part.contiguous() for part in beyond)
    return Taps(columns, rows, wide, high, x.index, y.index, beyond_x, beyond_y)


def _axis_taps(
    axis: CellAxis, function: Callable[[Tensor, bool], Tensor], antialias: bool
) -> tuple[Tensor, Tensor | None]:
    if not antialias:
        return axis.index_of(function(axis.position, True)).contiguous(), None
    position, scale = settle(*_axis_areas(axis, function), axis.count)
    return position.contiguous(), scale.contiguous()


def _axis_areas(
    axis: CellAxis, function: Callable[[Tensor, bool], Tensor]
) -> tuple[Tensor, Tensor]:
    """The cells that the cells of the frame stand for: index of the middle, and how many."""
    half = axis.step / (2 * axis.factor)
    low, high = (function(axis.position + way, True) for way in (-half, half))
    mapped = function(axis.position, True)
    # To the bit where the warp is the identity.
    index = torch.where(mapped == axis.position, axis.index, axis.index_of(mapped))
    return index, (high - low) / axis.step


def _unzoom_by_area(
    feature: Tensor, weights: AreaWeights, stay: AreaWeights | None, beyond: Tensor | None
) -> Tensor:
    unzoomed = weigh(feature, weights)
    if stay is None or beyond is None:
        return unzoomed
    return torch.where(beyond, weigh(feature, stay), unzoomed)
