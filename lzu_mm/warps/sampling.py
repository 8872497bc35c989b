"""Zoom images and unzoom features.

Convention: see :mod:`lzu_mm.warps.base`. Feature cell j of a level with stride s stands for
[j·s, (j+1)·s) of the canvas; the content of an image lies at the canvas' top left.
"""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import Warp


def zoom_image(
    image: Tensor, warp: Warp | None, size: tuple[int, int], align_corners: bool = False
) -> Tensor:
    """Zoom one image.

    Args:
        image: Shape (C, H, W), any dtype; integers become float32.
        warp: A batch of one warp, or None for the identity: plain bilinear resizing.
        size: (h, w) of the zoomed image.
        align_corners: Convention of the pixels of both images.

    Returns:
        Zoomed image, shape (C, h, w); the image itself where there is nothing to do.
    """
    if warp is None and tuple(image.shape[-2:]) == tuple(size):
        return image
    pixels = image[None] if image.is_floating_point() else image[None].float()
    if warp is None:
        return F.interpolate(pixels, size=size, mode='bilinear', align_corners=align_corners)[0]
    return _sample(pixels, warp.zoom_grid(size, align_corners), align_corners)[0]


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
        warp: The warps of these N images.
        content: (h, w) of each image on the canvas, in pixels.
        canvas: (H, W) of the padded batch of images.
        align_corners: Convention of the pixels of images and features.

    Returns:
        Unzoomed features with the shape and dtype of ``feature``; beyond the content they stay.
    """
    cells = (feature.shape[-2], feature.shape[-1])
    stride = infer_stride(canvas, cells)
    heights, widths = zip(*content)
    y, step_y = _cells(cells[0], stride[0], canvas[0], heights, warp, align_corners)
    x, step_x = _cells(cells[1], stride[1], canvas[1], widths, warp, align_corners)
    points = warp.raster(x, y, inverse=True)
    span_y, span_x = (max(count - align_corners, 1) for count in cells)
    grid = torch.stack(
        (
            points[..., 0] * (2 / (step_x * span_x))[..., None] - 1,
            points[..., 1] * (2 / (step_y * span_y))[..., None] - 1,
        ),
        dim=-1,
    )
    return _sample(feature, grid, align_corners)


def infer_stride(canvas: tuple[int, int], cells: tuple[int, int]) -> tuple[float, float]:
    """True stride of a feature level, per axis.

    Backbones halve by rounding up (strided convolutions, padded pooling) or down (patches without
    padding), so that the size of the canvas over the number of cells is not the stride.

    Args:
        canvas: (H, W) of the canvas in pixels.
        cells: (h, w) of the feature level.

    Returns:
        The power of two that explains both numbers of cells, or else the plain ratios.
    """
    for round_up in (1, 0):
        stride = 1
        while stride <= 2 * max(canvas):
            if all((n + round_up * (stride - 1)) // stride == c for n, c in zip(canvas, cells)):
                return stride, stride
            stride *= 2
    return canvas[0] / cells[0], canvas[1] / cells[1]


def _cells(
    count: int,
    stride: float,
    canvas: int,
    content: Sequence[float],
    warp: Warp,
    align_corners: bool,
) -> tuple[Tensor, Tensor]:
    """Positions (1 or N, count) of the cells in units of the content; their step (1 or N, 1)."""
    like = warp.knots_like
    if align_corners:
        steps = [(canvas - 1) / (max(count - 1, 1) * max(size - 1, 1)) for size in content]
    else:
        steps = [stride / size for size in content]
    if len(set(steps)) == 1:
        steps = steps[:1]
    # Filled on the device: a tensor made from a list would be copied there, and waited for.
    step = torch.cat([torch.full((1, 1), s, device=like.device, dtype=like.dtype) for s in steps])
    index = torch.arange(count, device=like.device, dtype=like.dtype)
    return (index + (0 if align_corners else 0.5)) * step, step


def _sample(image: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
    """Bilinear sampling in float32 at least, returned in the dtype of the image."""
    dtype = torch.promote_types(image.dtype, grid.dtype)
    with torch.autocast(image.device.type, enabled=False):
        sampled = F.grid_sample(
            image.to(dtype),
            grid.to(dtype),
            mode='bilinear',
            padding_mode='border',
            align_corners=align_corners,
        )
    return sampled.to(image.dtype)
