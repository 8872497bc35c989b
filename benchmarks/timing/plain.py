"""The same work done plainly, as the authors of LZU do it, for comparison.

Written from a description of their algorithm: images are converted and normalised whole before they
are sampled, and the inverse of a warp is found by testing every cell of its knots against every
pixel in the cell's neighbourhood, image by image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def normalise_then_zoom(image: Tensor, grid: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Convert and normalise a whole image, then sample it.

    Args:
        image: uint8, shape (C, H, W).
        grid: For ``grid_sample(align_corners=False)``, shape (1, h, w, 2).
        mean: Shape (C, 1, 1).
        std: Shape (C, 1, 1).

    Returns:
        Shape (C, h, w).
    """
    normalised = ((image.float() - mean) / std)[None]
    return F.grid_sample(normalised, grid, padding_mode='border', align_corners=False)[0]


def invert_by_cells(knots: Tensor, size: tuple[int, int], separable: bool) -> Tensor:
    """Invert warps at all pixels of an image.

    Args:
        knots: T at the knots, (x, y) in [0, 1], shape (N, h_S, w_S, 2).
        size: (h, w) of the image.
        separable: Whether all cells are rectangles.

    Returns:
        The inverse at the centres of the pixels, (x, y) in [0, 1], shape (N, h, w, 2).
    """
    return torch.stack([_invert_one(image, size, separable) for image in knots])


def _invert_one(knots: Tensor, size: tuple[int, int], separable: bool) -> Tensor:
    h, w = size
    scale = torch.tensor([w, h], dtype=knots.dtype)
    rows, columns = knots.shape[0] - 1, knots.shape[1] - 1
    # The corners of the cells, in pixel indices.
    pixels = knots * scale - 0.5
    corners = torch.stack(
        (pixels[:-1, :-1], pixels[:-1, 1:], pixels[1:, :-1], pixels[1:, 1:])
    ).flatten(1, 2)
    first = corners.amin(dim=0).ceil().long()
    reach_x, reach_y = (corners.amax(dim=0) - first).amax(dim=0).floor().long().tolist()
    y, x = torch.meshgrid(torch.arange(reach_y + 1), torch.arange(reach_x + 1), indexing='ij')
    candidates = first[:, None] + torch.stack((x, y), dim=-1).view(1, -1, 2)
    points = candidates.to(knots.dtype)
    solve = _in_rectangle if separable else _in_quadrilateral
    u, v = solve(corners[:, :, None], points)
    cell = torch.arange(rows * columns)[:, None]
    inverse = torch.stack(((cell % columns + u) / columns, (cell // columns + v) / rows), dim=-1)
    hair = 1e-5
    inside = (u >= -hair) & (u <= 1 + hair) & (v >= -hair) & (v <= 1 + hair)
    inside &= (candidates >= 0).all(-1) & (candidates < scale).all(-1)
    found = torch.zeros(h, w, 2, dtype=knots.dtype)
    found[candidates[inside][:, 1], candidates[inside][:, 0]] = inverse[inside]
    return found


def _in_rectangle(corners: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    share = (points - corners[0]) / (corners[3] - corners[0])
    return share[..., 0], share[..., 1]


def _in_quadrilateral(corners: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Solve p = c + u r + v d + u v t for u and v: a quadratic in v."""
    right, down = corners[1] - corners[0], corners[2] - corners[0]
    twist = corners[0] - corners[1] - corners[2] + corners[3]
    offset = points - corners[0]
    a, c = _cross(twist, down), _cross(offset, right)
    b = _cross(right, down) + _cross(offset, twist)
    root = (b * b - 4 * a * c).clamp_min(0).sqrt()
    v = -2 * c / (b + root)
    along = right + v[..., None] * twist
    u = ((offset - v[..., None] * down) * along).sum(-1) / (along * along).sum(-1)
    return u, v


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
