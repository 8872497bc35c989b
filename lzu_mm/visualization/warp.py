"""Draw a warp as a grid over its image, and take an image back through it.

Convention: a warp T maps zoomed to source coordinates, normalised to [0, 1], (x, y); None stands
for the identity.
"""

from __future__ import annotations

from typing import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..warps import Warp

__all__ = ['draw_lines', 'draw_warp', 'map_points', 'unzoom_image']

_COLOR = (255, 220, 90)
_SUBPIXEL_BITS = 4


def draw_warp(image: np.ndarray, warp: Warp | None, columns: int = 24) -> np.ndarray:
    """Draw the regular grid of the zoomed image where it samples the source image.

    All cells get the same number of pixels in the zoomed image, so that small cells are magnified.

    Args:
        image: (h, w, 3) uint8, BGR; the source image.
        warp: A batch of one.
        columns: Number of cells across; the number of rows makes them square without a warp.

    Returns:
        (h, w, 3) uint8, BGR.
    """
    h, w = image.shape[:2]
    rows = max(round(columns * h / w), 1)
    along = np.linspace(0, 1, 8 * columns + 1)
    lines = [np.stack((np.full_like(along, x), along), 1) for x in np.linspace(0, 1, columns + 1)]
    lines += [np.stack((along, np.full_like(along, y)), 1) for y in np.linspace(0, 1, rows + 1)]
    faded = (image * 0.6).astype(np.uint8)
    for line in lines:
        draw_lines(faded, map_points(line, warp), _COLOR)
    return faded


def unzoom_image(zoomed: np.ndarray, warp: Warp | None) -> np.ndarray:
    """Unzoom an image, so that it lies as if it had been resized uniformly to its size.

    Args:
        zoomed: (h, w, 3) uint8.
        warp: A batch of one.

    Returns:
        (h, w, 3) uint8.
    """
    if warp is None:
        return zoomed
    h, w = zoomed.shape[:2]
    pixels = torch.from_numpy(np.ascontiguousarray(zoomed)).permute(2, 0, 1)[None].float()
    grid = warp.unzoom_grid((h, w)).detach().cpu().float()
    unzoomed = F.grid_sample(pixels, grid, padding_mode='border', align_corners=False)
    return unzoomed[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def map_points(points: np.ndarray, warp: Warp | None, inverse: bool = False) -> np.ndarray:
    """Map points of the zoomed image to the source image, or back.

    Args:
        points: (P, 2) as (x, y), normalised.
        warp: A batch of one.
        inverse: Map from the source to the zoomed image.

    Returns:
        (P, 2), normalised.
    """
    if warp is None:
        return points
    batch: Tensor = torch.from_numpy(np.ascontiguousarray(points))[None].float()
    mapped = warp.to_zoomed(batch) if inverse else warp.to_source(batch)
    return mapped[0].detach().cpu().numpy()


def draw_lines(
    image: np.ndarray, points: np.ndarray, color: Sequence[int], width: float = 1
) -> None:
    """Draw a line through points, in place.

    Args:
        image: (h, w, 3) uint8, BGR.
        points: (P, 2) as (x, y), normalised to [0, 1].
        color: BGR.
        width: Line width in 640ths of the image's longer side, at least one pixel.
    """
    h, w = image.shape[:2]
    # OpenCV puts integer coordinates at pixel centres.
    pixels = (points * (w, h) - 0.5).clip(-4 * max(h, w), 5 * max(h, w))
    thickness = max(1, round(width * max(h, w) / 640))
    cv2.polylines(
        image,
        [(pixels * (1 << _SUBPIXEL_BITS)).round().astype(np.int32)],
        False,
        color,
        thickness,
        cv2.LINE_AA,
        _SUBPIXEL_BITS,
    )
