"""Area-weighted resampling of features: a matrix for each axis.

A cell that stands for s > 1 cells of the level takes a triangle of ±s cells around its place
instead of the two nearest ones. This is the filter of :mod:`lzu_mm.warps.antialias`, whose images
are too large for matrices. Levels of features are small and have many channels.

Convention: positions are indices of cells, whole at their centres.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# A cell that stands for this little more than one of the level takes that one alone: rounding must
# not mix its neighbours in.
_HAIR = 1e-4


class AreaWeights(NamedTuple):
    """What each cell takes of the level: rows (N, h, h_f) and columns (N, w, w_f); N may be 1."""

    rows: Tensor
    columns: Tensor


def settle(position: Tensor, scale: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Positions and scales as :func:`triangles` takes them, of the same shapes."""
    # Beyond the first and the last centre the border cell is taken.
    return position.clamp(0, count - 1), torch.where(scale < 1 + _HAIR, 1.0, scale)


def triangles(position: Tensor, scale: Tensor, count: int) -> Tensor:
    """Weights of the cells of an axis.

    Args:
        position: Where to sample, shape (N, m).
        scale: Cells that a sample stands for, shape (N, m); below 1 counts as 1.
        count: Number of cells n.

    Returns:
        Shape (N, m, n), summing to 1 along n.
    """
    position, scale = (part[..., None] for part in settle(position, scale, count))
    index = torch.arange(count, device=position.device, dtype=position.dtype)
    weight = (1 - (index - position).abs() / scale).clamp_min(0)
    return weight / weight.sum(dim=-1, keepdim=True)


def weigh(feature: Tensor, weights: AreaWeights) -> Tensor:
    """Resample features along both axes, in float32 at least.

    Args:
        feature: Shape (N, C, h_f, w_f).
        weights: For these cells.

    Returns:
        Shape (N, C, h, w), with the dtype of ``feature``.
    """
    n, channels, h, w = feature.shape
    rows, columns = weights
    dtype = torch.promote_types(feature.dtype, rows.dtype)
    with torch.autocast(feature.device.type, enabled=False):
        values = feature.to(dtype).reshape(n, channels * h, w)
        across = values @ columns.to(dtype).transpose(1, 2)
        return (rows.to(dtype)[:, None] @ across.view(n, channels, h, -1)).to(feature.dtype)
