"""Zoom: sample an image denser where a warp magnifies.

Convention: see :mod:`lzu_mm.warps.base`.

On a CPU a separable warp samples one axis after the other; on a GPU ``grid_sample`` is one kernel
instead of many, and non-separable warps need it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .antialias import filter_axes, triangle_weights
from .base import Warp, pixel_positions, to_index
from .sampling import sample_axes, sample_grid, to_grid
from .separable import SeparableWarp


def zoom_image(
    image: Tensor,
    warp: Warp | None,
    size: tuple[int, int],
    align_corners: bool = False,
    antialias: bool = False,
) -> Tensor:
    """Zoom one image.

    Args:
        image: Shape (C, H, W), any dtype; integers become float32.
        warp: A batch of one warp, or None for the identity: plain bilinear resizing.
        size: (h, w) of the zoomed image.
        align_corners: Convention of the pixels of both images.
        antialias: Where the zoom minifies, average over what a pixel stands for
            (:mod:`lzu_mm.warps.antialias`) instead of taking the nearest pixels.

    Returns:
        Zoomed image, shape (C, h, w); the image itself where there is nothing to do.

    Raises:
        ValueError: If a non-separable warp is to be anti-aliased, or one with ``align_corners``.
    """
    if antialias and align_corners:
        raise ValueError('antialias takes align_corners=False')
    if warp is None:
        return _resize(image, size, align_corners, antialias)
    source = (image.shape[-2], image.shape[-1])
    key = (source, (size[0], size[1]), align_corners)
    if antialias:
        if not isinstance(warp, SeparableWarp):
            raise ValueError('antialias takes a separable warp: set separable=True')
        taps = warp.once(('taps', *key), lambda: _zoom_taps(warp, source, size))
        return filter_axes(image, *taps)
    if isinstance(warp, SeparableWarp) and image.device.type == 'cpu':
        axes = warp.once(('zoom axes', *key), lambda: _zoom_axes(warp, *key))
        return sample_axes(image[None], *axes)[0]
    grid = warp.once(('zoom', *key), lambda: _zoom_grid(warp, *key))
    return sample_grid(image[None], grid)[0]


def _resize(image: Tensor, size: tuple[int, int], align_corners: bool, antialias: bool) -> Tensor:
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    on_cpu = image.device.type == 'cpu'
    if on_cpu and not (image.is_floating_point() or align_corners or antialias):
        # The same, without converting pixels that are not looked at.
        y, x = (
            ((torch.arange(count) + 0.5) * (whole / count) - 0.5)[None]
            for whole, count in zip(image.shape[-2:], size)
        )
        return sample_axes(image[None], x, y)[0]
    pixels = image[None] if image.is_floating_point() else image[None].float()
    return F.interpolate(
        pixels, size=size, mode='bilinear', align_corners=align_corners, antialias=antialias
    )[0]


def _zoom_grid(
    warp: Warp, source: tuple[int, int], size: tuple[int, int], align_corners: bool
) -> Tensor:
    x = pixel_positions(size[1], warp.knots_like, align_corners)[None]
    y = pixel_positions(size[0], warp.knots_like, align_corners)[None]
    points = warp.raster(x, y, inverse=False, inside=True)
    columns = to_index(points[..., 0], source[1], align_corners)
    rows = to_index(points[..., 1], source[0], align_corners)
    return to_grid(columns, rows, source)


def _zoom_axes(
    warp: SeparableWarp, source: tuple[int, int], size: tuple[int, int], align_corners: bool
) -> tuple[Tensor, Tensor]:
    """Source columns and rows, in pixels, of the zoomed columns and rows."""
    x = pixel_positions(size[1], warp.knots_like, align_corners)[None]
    y = pixel_positions(size[0], warp.knots_like, align_corners)[None]
    return (
        to_index(warp.map_x(x, inverse=False), source[1], align_corners),
        to_index(warp.map_y(y, inverse=False), source[0], align_corners),
    )


def _zoom_taps(
    warp: SeparableWarp, source: tuple[int, int], size: tuple[int, int]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What each zoomed column and row takes of the source."""
    taps = []
    for axis, function in ((1, warp.map_x), (0, warp.map_y)):
        centre = pixel_positions(size[axis], warp.knots_like)[None]
        half = 0.5 / size[axis]
        scale = source[axis] * (function(centre + half, False) - function(centre - half, False))
        position = to_index(function(centre, False), source[axis])
        taps.append(triangle_weights(position[0], scale[0], source[axis]))
    return taps[0], taps[1]
