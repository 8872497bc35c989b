"""Zoom and unzoom as modules that hold their geometry: constants, where the map never changes.

In the forms that ONNX runtimes run fastest. Images are zoomed by gathering rows, transposing and
gathering rows again; features, which are small and have many channels, are unzoomed by two matrix
products. Only non-separable warps need GridSample.

Convention: see :mod:`lzu_mm.warps.base`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data_preprocessors.settings import ZoomSettings
from ..data_preprocessors.warped import ContentWarp
from ..link import ZoomedBatch
from ..necks import UnzoomNeck
from ..warps import SeparableWarp, identity_warp, zoom_image
from ..warps.area import AreaWeights, triangles, weigh
from ..warps.cells import cell_axes
from ..warps.unzoom import area_weights, cells_beyond, unzoom_grid
from ..warps.zoom import zoom_axes, zoom_grid, zoom_taps

__all__ = [
    'Constants',
    'PlainResize',
    'UnzoomByGrid',
    'UnzoomByProducts',
    'ZoomByGrid',
    'ZoomByRows',
    'folded_unzoom',
    'folded_zoom',
]


class Constants(nn.Module):
    """Holds tensors that become constants of the graph."""

    def __init__(self, **tensors: Tensor | None) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor, persistent=False)


class PlainResize(nn.Module):
    """Plain resizing, of which ONNX has its own operation.

    Args:
        size: (h, w) of the resized images.
        zoom: How to resize.
    """

    def __init__(self, size: tuple[int, int], zoom: ZoomSettings) -> None:
        super().__init__()
        self.settings = size, zoom.align_corners, zoom.antialias

    def forward(self, image: Tensor) -> Tensor:
        """Resize an image (C, H, W) of any dtype: (C, h, w)."""
        return zoom_image(image.float(), None, *self.settings)


class ZoomByRows(Constants):
    """Weighted sums of rows, then of columns, which a transpose makes rows.

    Args:
        rows: Indices (int64) and weights of the source rows that each zoomed row takes, both
            (h, taps).
        columns: The same of the columns, (w, taps).
    """

    def __init__(self, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]) -> None:
        super().__init__(row=rows[0], row_share=rows[1], column=columns[0], column_share=columns[1])
        self.row: Tensor
        self.row_share: Tensor
        self.column: Tensor
        self.column_share: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Zoom an image (C, H, W) of any dtype: (C, h, w)."""
        lines = _weigh_rows(image, self.row, self.row_share)
        return _weigh_rows(lines.transpose(1, 2), self.column, self.column_share).transpose(1, 2)


class ZoomByGrid(Constants):
    """Samples at a grid (1, h, w, 2)."""

    def __init__(self, grid: Tensor) -> None:
        super().__init__(grid=grid)
        self.grid: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Zoom an image (C, H, W) of any dtype: (C, h, w)."""
        return _sample(image[None].float(), self.grid)[0]


class UnzoomByProducts(Constants):
    """Multiplies by a matrix for each axis.

    Args:
        weights: What cells take, for a batch of one.
        beyond: Which cells lie beyond the content, (1, 1, h, w); None if there are none.
        stay: What these take instead; None if it is the feature itself.
    """

    def __init__(
        self, weights: AreaWeights, beyond: Tensor | None, stay: AreaWeights | None
    ) -> None:
        super().__init__(
            rows=weights.rows,
            columns=weights.columns,
            beyond=beyond,
            stay_rows=stay and stay.rows,
            stay_columns=stay and stay.columns,
        )
        self.rows: Tensor
        self.columns: Tensor
        self.beyond: Tensor | None
        self.stay_rows: Tensor | None
        self.stay_columns: Tensor

    def forward(self, feature: Tensor) -> Tensor:
        """Unzoom a level (1, C, h_f, w_f)."""
        unzoomed = weigh(feature, AreaWeights(self.rows, self.columns))
        if self.beyond is None:
            return unzoomed
        if self.stay_rows is not None:
            feature = weigh(feature, AreaWeights(self.stay_rows, self.stay_columns))
        return torch.where(self.beyond, feature, unzoomed)


class UnzoomByGrid(Constants):
    """Samples at a grid (1, h, w, 2)."""

    def __init__(self, grid: Tensor) -> None:
        super().__init__(grid=grid)
        self.grid: Tensor

    def forward(self, feature: Tensor) -> Tensor:
        """Unzoom a level (1, C, h_f, w_f)."""
        return _sample(feature, self.grid)


def folded_zoom(
    warp: ContentWarp | None, source: tuple[int, int], size: tuple[int, int], zoom: ZoomSettings
) -> nn.Module:
    """The zoom of all images of one size.

    Args:
        warp: Of the images.
        source: (h, w) of the images.
        size: (h, w) of the zoomed images.
        zoom: How to zoom.

    Returns:
        Takes images (C, H, W).
    """
    if warp is None:
        return PlainResize(size, zoom)
    lattice = (source, size, warp.content)
    own = warp.warp
    if isinstance(own, SeparableWarp) and zoom.antialias:
        columns, rows = zoom_taps(own, *lattice)
        return ZoomByRows(rows, columns)
    if isinstance(own, SeparableWarp):
        x, y = zoom_axes(own, *lattice, zoom.align_corners)
        return ZoomByRows(_two_taps(y[0], source[0]), _two_taps(x[0], source[1]))
    return ZoomByGrid(zoom_grid(own, *lattice, zoom.align_corners))


def folded_unzoom(cells: tuple[int, int], neck: UnzoomNeck, batch: ZoomedBatch) -> nn.Module:
    """The unzoom of a level.

    Args:
        cells: (h, w) of the level.
        neck: Its settings are used.
        batch: One image.

    Returns:
        Takes levels (1, C, h_f, w_f).
    """
    like = torch.empty(0)
    warp = identity_warp(like) if batch.content_warp is None else batch.content_warp
    x, y = cell_axes(cells, batch.content, batch.canvas, like, batch.align_corners, neck.frame)
    if not isinstance(warp, SeparableWarp):
        return UnzoomByGrid(unzoom_grid(warp, x, y))
    if neck.antialias and batch.content_warp is not None:
        weights, stay, beyond = area_weights(warp, x, y)
        return UnzoomByProducts(weights, beyond, stay)
    places = (
        axis.index_of(function(axis.position, inverse=True))
        for axis, function in ((y, warp.map_y), (x, warp.map_x))
    )
    weights = AreaWeights(*(_two_nearest(p, axis.count) for p, axis in zip(places, (y, x))))
    beyond = cells_beyond(x, y)
    fine = (y.index.shape[1], x.index.shape[1]) != cells
    stay = AreaWeights(*(_two_nearest(axis.index, axis.count) for axis in (y, x))) if fine else None
    return UnzoomByProducts(weights, beyond, None if beyond is None else stay)


def _two_nearest(position: Tensor, count: int) -> Tensor:
    """Weights of linear interpolation at positions (1, m) among n cells: (1, m, n)."""
    return triangles(position, torch.ones_like(position), count)


def _two_taps(position: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The pixels on both sides of positions (m,), and their shares: (m, 2) each."""
    position = position.clamp(0, count - 1)
    low = position.long()
    share = position - low
    index = torch.stack((low, (low + 1).clamp(max=count - 1)), dim=1)
    return index, torch.stack((1 - share, share), dim=1)


def _weigh_rows(image: Tensor, index: Tensor, share: Tensor) -> Tensor:
    """Weighted sums of the rows of (C, n, K): (C, m, K)."""
    total: Tensor | None = None
    for tap in range(index.shape[1]):
        rows = image.index_select(1, index[:, tap]).to(share.dtype) * share[:, tap, None]
        total = rows if total is None else total + rows
    assert total is not None
    return total


def _sample(image: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(image, grid, mode='bilinear', padding_mode='border', align_corners=False)
