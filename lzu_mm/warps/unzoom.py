"""Unzoom: lay features of a zoomed image as if it had been resized uniformly.

Convention: see :mod:`lzu_mm.warps.base` and :mod:`lzu_mm.warps.cells`.

On a CPU, channels-last features of a separable warp are sampled one axis after the other.
``grid_sample`` is faster on contiguous features and on a GPU, and non-separable warps need it.
"""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor

from .base import Warp
from .cells import CellAxis, cell_axes
from .sampling import axes_to_grid, is_channels_last, sample_axes, sample_grid, to_grid
from .separable import SeparableWarp


def unzoom_feature(
    feature: Tensor,
    warp: Warp,
    content: Sequence[tuple[float, float]],
    canvas: tuple[int, int],
    align_corners: bool = False,
) -> Tensor:
    """Unzoom one level of features, so that it lies as if the image had been resized uniformly.

    Args:
        feature: Features of the zoomed images, shape (N, C, h_f, w_f).
        warp: The warps of these N images, or one for all.
        content: (h, w) of each image on the canvas, in pixels.
        canvas: (H, W) of the padded batch of images.
        align_corners: Convention of the pixels of images and features.

    Returns:
        Unzoomed features with the shape, dtype and memory format of ``feature``; beyond the content
        they stay.
    """
    cells = (feature.shape[-2], feature.shape[-1])
    level = (cells, tuple(content), tuple(canvas), align_corners)

    def axes() -> tuple[CellAxis, CellAxis]:
        return cell_axes(cells, content, canvas, warp.knots_like, align_corners)

    if not isinstance(warp, SeparableWarp):
        grid = warp.once(('grid', *level), lambda: _unzoom_grid(warp, *axes()))
        return sample_grid(feature, grid)
    x, y, beyond = warp.once(('axes', *level), lambda: _unzoom_axes(warp, *axes()))
    if feature.device.type == 'cpu' and is_channels_last(feature):
        sampled = sample_axes(feature, x, y)
        return sampled if beyond is None else torch.where(beyond, feature, sampled)
    grid = warp.once(('grid', *level), lambda: _axes_grid(x, y, beyond, cells))
    return sample_grid(feature, grid)


def _unzoom_grid(warp: Warp, x: CellAxis, y: CellAxis) -> Tensor:
    inside = not (x.overflows or y.overflows)
    points = warp.raster(x.position, y.position, inverse=True, inside=inside)
    columns = x.index_of(points[..., 0], 2)
    rows = y.index_of(points[..., 1], 2)
    cells = (y.position.shape[1], x.position.shape[1])
    return to_grid(columns, rows, cells)


def _axes_grid(x: Tensor, y: Tensor, beyond: Tensor | None, cells: tuple[int, int]) -> Tensor:
    grid = axes_to_grid(x, y, cells)
    if beyond is None:
        return grid
    # Here rather than on the sampled features, of which there are many times more.
    own_x = torch.arange(cells[1], device=x.device, dtype=x.dtype)[None]
    own_y = torch.arange(cells[0], device=y.device, dtype=y.dtype)[None]
    return torch.where(beyond[:, 0, :, :, None], axes_to_grid(own_x, own_y, cells), grid)


def _unzoom_axes(
    warp: SeparableWarp, x: CellAxis, y: CellAxis
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Columns and rows to sample at, and which cells lie beyond the content, if any do."""
    beyond = None
    if x.overflows or y.overflows:
        beyond = ((x.position > 1)[:, None, :] | (y.position > 1)[:, :, None])[:, None]
    return (
        x.index_of(warp.map_x(x.position, inverse=True)),
        y.index_of(warp.map_y(y.position, inverse=True)),
        beyond,
    )
