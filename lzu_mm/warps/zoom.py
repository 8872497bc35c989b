"""Zoom: sample an image denser where a warp magnifies.

Convention: see :mod:`lzu_mm.warps.base`. The content of an image lies at its top left; beyond it
(padding) the zoom is a plain uniform resize, as T is the identity there.

On a CPU a separable warp samples one axis after the other. On a GPU it has a kernel of its own
(:mod:`lzu_mm.warps.fused`), or else ``grid_sample``, which non-separable warps need.
"""

from __future__ import annotations

from typing import Any, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from . import fused
from .antialias import filter_axes, triangle_weights, widest
from .base import Warp, pixel_positions, to_index
from .sampling import axes_to_grid, sample_axes, sample_grid, to_grid
from .separable import SeparableWarp
from .taps import Taps


def zoom_image(
    image: Tensor,
    warp: Warp | None,
    size: tuple[int, int],
    align_corners: bool = False,
    antialias: bool = False,
    content: tuple[int, int] | None = None,
) -> Tensor:
    """Zoom one image.

    Args:
        image: Shape (C, H, W), any dtype; integers become float32.
        warp: A batch of one warp, or None for the identity: plain bilinear resizing.
        size: (h, w) of the zoomed image.
        align_corners: Convention of the pixels of both images.
        antialias: Where the zoom minifies, average over what a pixel stands for
            (:mod:`lzu_mm.warps.antialias`) instead of taking the nearest pixels.
        content: (h, w) of the part of the image that the warp maps, in pixels; all by default.

    Returns:
        Zoomed image, shape (C, h, w); the image itself where there is nothing to do.

    Raises:
        ValueError: If a non-separable warp is to be anti-aliased, or one with ``align_corners``.

    Example:
        >>> import torch
        >>> from lzu_mm.warps import saliency_to_warp
        >>> warp = saliency_to_warp(torch.rand(1, 1, 31, 51))
        >>> zoom_image(torch.zeros(3, 640, 640).byte(), warp, (320, 320), content=(360, 640)).shape
        torch.Size([3, 320, 320])
    """
    if antialias and align_corners:
        raise ValueError('antialias takes align_corners=False')
    if warp is None:
        return _resize(image, size, align_corners, antialias)
    source = (image.shape[-2], image.shape[-1])
    h, w = source if content is None else content
    lattice = (source, (size[0], size[1]), (h, w), align_corners)
    if isinstance(warp, SeparableWarp) and fused.takes(image, warp.knots_like):
        key = ('fused', antialias, *lattice)
        return _zoom_fused(image[None], warp, antialias, lattice, key)[0]
    if antialias:
        if not isinstance(warp, SeparableWarp):
            raise ValueError('antialias takes a separable warp: set separable=True')
        taps = warp.once(('taps', *lattice), lambda: zoom_taps(warp, *lattice[:3]))
        return filter_axes(image, *taps)
    if isinstance(warp, SeparableWarp) and image.device.type == 'cpu':
        axes = warp.once(('zoom axes', *lattice), lambda: zoom_axes(warp, *lattice))
        return sample_axes(image[None], *axes)[0]
    grid = warp.once(('zoom', *lattice), lambda: zoom_grid(warp, *lattice))
    return sample_grid(image[None], grid)[0]


def zoom_images(
    images: Tensor,
    warp: Warp | None,
    size: tuple[int, int],
    align_corners: bool = False,
    antialias: bool = False,
) -> Tensor:
    """Zoom a batch of images of one size.

    Args:
        images: Shape (N, C, H, W), floating point.
        warp: The warps of these N images, or one for all, or None for the identity.
        size: (h, w) of the zoomed images.
        align_corners: As for :func:`zoom_image`.
        antialias: As for :func:`zoom_image`.

    Returns:
        Zoomed images, shape (N, C, h, w), with the dtype of ``images``.

    Example:
        >>> from lzu_mm.warps import saliency_to_warp
        >>> warp = saliency_to_warp(torch.rand(2, 1, 31, 51))
        >>> zoom_images(torch.rand(2, 3, 64, 128), warp, (32, 64)).shape
        torch.Size([2, 3, 32, 64])
    """
    source = (images.shape[-2], images.shape[-1])
    if warp is None or len(warp) == 1:
        # One warp looks at the channels of all images alike.
        planes = zoom_image(images.flatten(0, 1), warp, size, align_corners, antialias)
        zoomed = planes.view(*images.shape[:2], *planes.shape[-2:])
    elif isinstance(warp, SeparableWarp) and fused.takes(images, warp.knots_like):
        zoomed = _zoom_fused(images, warp, antialias, (source, tuple(size), source, align_corners))
    elif antialias:
        each = (warp.index(slice(i, i + 1)) for i in range(len(images)))
        zoomed = torch.stack(
            [zoom_image(*pair, size, align_corners, antialias) for pair in zip(images, each)]
        )
    elif isinstance(warp, SeparableWarp) and images.device.type == 'cpu':
        zoomed = sample_axes(images, *zoom_axes(warp, source, size, source, align_corners))
    else:
        zoomed = sample_grid(images, zoom_grid(warp, source, size, source, align_corners))
    return zoomed.to(images.dtype)


def zoomed_size(
    source: Sequence[int], scale: float, aspect: tuple[float, float] = (1, 1)
) -> tuple[int, int]:
    """Size of an image that is zoomed by a ratio.

    Args:
        source: (h, w) of the source image.
        scale: Ratio of each side.
        aspect: Further factors along (y, x).

    Returns:
        (h, w), rounded, each at least 1.

    Example:
        >>> zoomed_size((375, 1242), 0.25)
        (94, 311)
    """
    h, w = (max(int(n * scale * own + 0.5), 1) for n, own in zip(source, aspect))
    return h, w


def zoomed_content(
    content: tuple[int, int],
    source: tuple[int, int],
    size: tuple[int, int],
    align_corners: bool = False,
) -> tuple[float, float]:
    """Size of the content on the zoomed image.

    Args:
        content: (h, w) of the content of the source image, in pixels.
        source: (h, w) of the source image.
        size: (h, w) of the zoomed image.
        align_corners: Convention of the pixels of both images.

    Returns:
        (h, w) in pixels of the zoomed image, not rounded.

    Example:
        >>> zoomed_content((360, 640), (640, 640), (320, 320))
        (180.0, 320.0)
    """
    if content == source:
        return size
    last = 1 if align_corners else 0
    h, w = (
        (part - last) * (count - last) / max(whole - last, 1) + last
        for part, whole, count in zip(content, source, size)
    )
    return h, w


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


def zoom_grid(
    warp: Warp,
    source: tuple[int, int],
    size: tuple[int, int],
    content: tuple[int, int],
    align_corners: bool = False,
) -> Tensor:
    """Where each zoomed pixel is taken from.

    Args:
        warp: N warps.
        source: (h, w) of the source images.
        size: (h, w) of the zoomed images.
        content: (h, w) of the part of the source images that the warps map, in pixels.
        align_corners: Convention of the pixels of all images.

    Returns:
        Grid for ``F.grid_sample(..., align_corners=False)``, shape (N, h, w, 2).
    """
    if isinstance(warp, SeparableWarp):
        return axes_to_grid(*zoom_axes(warp, source, size, content, align_corners), source)
    x, y = (
        _positions(size[axis], source[axis], content[axis], warp.knots_like, align_corners)
        for axis in (1, 0)
    )
    points = warp.raster(x, y, inverse=False, inside=content == source)
    columns = to_index(points[..., 0], content[1], align_corners)
    rows = to_index(points[..., 1], content[0], align_corners)
    return to_grid(columns, rows, source)


def zoom_axes(
    warp: SeparableWarp,
    source: tuple[int, int],
    size: tuple[int, int],
    content: tuple[int, int],
    align_corners: bool,
) -> tuple[Tensor, Tensor]:
    """Source columns and rows, in pixels, of the zoomed columns and rows."""
    x, y = (
        _positions(size[axis], source[axis], content[axis], warp.knots_like, align_corners)
        for axis in (1, 0)
    )
    return (
        to_index(warp.map_x(x, inverse=False), content[1], align_corners),
        to_index(warp.map_y(y, inverse=False), content[0], align_corners),
    )


def _zoom_fused(
    images: Tensor, warp: SeparableWarp, antialias: bool, lattice: Any, key: Any = None
) -> Tensor:
    def make() -> Taps:
        parts = _zoom_areas(warp, *lattice[:3]) if antialias else zoom_axes(warp, *lattice)
        return Taps(*(part.contiguous() for part in parts))

    taps = make() if key is None else warp.once(key, make)
    floats = torch.float32 if antialias or images.dtype == torch.uint8 else images.dtype
    return fused.resample(images, taps, floats)


def _zoom_areas(
    warp: SeparableWarp, source: tuple[int, int], size: tuple[int, int], content: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where zoomed columns and rows lie, (N, w) and (N, h), and how many pixels they stand for."""
    found = []
    for axis, function in ((1, warp.map_x), (0, warp.map_y)):
        centre = _positions(size[axis], source[axis], content[axis], warp.knots_like)
        half = 0.5 / size[axis] * (source[axis] / content[axis])
        scale = content[axis] * (function(centre + half, False) - function(centre - half, False))
        position = to_index(function(centre, False), content[axis])
        found.append((position, scale.clamp(1, widest(source[axis], size[axis]))))
    (x, scale_x), (y, scale_y) = found
    return x, y, scale_x, scale_y


def zoom_taps(
    warp: SeparableWarp, source: tuple[int, int], size: tuple[int, int], content: tuple[int, int]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What each zoomed column and row takes of the source."""
    x, y, scale_x, scale_y = _zoom_areas(warp, source, size, content)
    return (
        triangle_weights(x[0], scale_x[0], source[1]),
        triangle_weights(y[0], scale_y[0], source[0]),
    )


def _positions(
    count: int, source: int, content: int, like: Tensor, align_corners: bool = False
) -> Tensor:
    """Positions of the pixels of a zoomed axis, in units of the content: (1, n), above 1 beyond."""
    last = 1 if align_corners else 0
    stretch = max(source - last, 1) / max(content - last, 1)
    return pixel_positions(count, like, align_corners)[None] * stretch
