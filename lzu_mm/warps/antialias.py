"""Area-weighted sampling along one axis after the other, where a warp minifies.

A pixel that stands for s > 1 source pixels takes a triangle of ±s pixels around its place instead
of the two nearest ones: the filter of ``F.interpolate(antialias=True)``, with a width that follows
the local scale of the warp.

Convention: positions are pixel indices, see :mod:`lzu_mm.warps.sampling`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .compat import is_compiling, weighted_bags

# Where the widest triangle may not be asked for (that would wait for an accelerator), it is taken
# for at most this many times that of a uniform resize.
_MAX_MINIFICATION = 4


def widest(count: int, samples: int) -> int:
    """Source pixels, of ``count``, that one of so many samples stands for at most."""
    return min(max(math.ceil(_MAX_MINIFICATION * count / samples), 1), count)


def triangle_weights(position: Tensor, scale: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The pixels that each position takes, and their weights.

    Args:
        position: Where to sample an axis, shape (m,).
        scale: Source pixels that a sample stands for, shape (m,); below 1 counts as 1.
        count: Number of source pixels n.

    Returns:
        Indices (int64, in 0 … n - 1) and weights (summing to 1), both (m, taps).
    """
    limit = widest(count, len(position))
    scale = scale.clamp(1, limit)
    on_host = scale.device.type == 'cpu' and not is_compiling()
    reach = int(scale.detach().max().ceil()) if on_host else limit
    offset = torch.arange(-reach, reach + 1, device=position.device)
    index = position.detach().round().long()[:, None] + offset
    weight = (1 - (index - position[:, None]).abs() / scale[:, None]).clamp_min(0)
    weight = weight * ((index >= 0) & (index < count))
    return index.clamp(0, count - 1), weight / weight.sum(dim=1, keepdim=True)


def filter_axes(
    image: Tensor, columns: tuple[Tensor, Tensor], rows: tuple[Tensor, Tensor]
) -> Tensor:
    """Weigh the pixels of one image along both axes.

    Args:
        image: Shape (C, H, W), any dtype; integers become floating point.
        columns: Indices and weights of :func:`triangle_weights` along x, (w, taps) each.
        rows: The same along y, (h, taps) each.

    Returns:
        Shape (C, h, w).
    """
    dtype = torch.promote_types(image.dtype, rows[1].dtype)
    with torch.autocast(image.device.type, enabled=False):
        shrunk = _weigh(image.to(dtype), *rows)
        return _weigh(shrunk.transpose(1, 2), *columns).transpose(1, 2).contiguous()


def _weigh(values: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums of lines: (C, n, K) to (C, m, K)."""
    channels, count, width = values.shape
    first = torch.arange(channels, device=values.device).view(-1, 1, 1) * count
    # The one kernel that gathers, weighs and adds in one go, and gives a gradient of the weights.
    summed = weighted_bags(
        (first + index).flatten(0, 1),
        values.reshape(channels * count, width),
        weight.to(values.dtype).repeat(channels, 1),
    )
    return summed.view(channels, -1, width)
