"""Bilinear sampling at a grid of points, or along one axis after the other.

Convention: positions are pixel indices, pixel i of n having its centre at i. Beyond the first and
the last centre, the border pixel is returned.
"""

from __future__ import annotations

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .compat import is_compiling

# Elements of a band of source rows: a megabyte as float32.
_BAND = 2**18
# Channels that are sampled at once on a CPU.
_BLOCK = 32
Neighbours = Tuple[Tensor, Tensor, Tensor]


def to_grid(x: Tensor, y: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn pixel indices into what ``grid_sample(align_corners=False)`` takes.

    Args:
        x: Any shape.
        y: The same shape.
        size: (h, w) of the sampled image.

    Returns:
        Shape (..., 2).
    """
    h, w = size
    return torch.stack(((2 * x + 1) / w - 1, (2 * y + 1) / h - 1), dim=-1)


def axes_to_grid(x: Tensor, y: Tensor, size: tuple[int, int]) -> Tensor:
    """The grid of the raster of x and y; see :func:`to_grid`.

    Args:
        x: Columns in pixel indices, shape (N, w), or (1, w) for all images.
        y: Rows in pixel indices, shape (N, h) or (1, h).
        size: (h, w) of the sampled image.

    Returns:
        Shape (N, h, w, 2).
    """
    x, y = (2 * x + 1) / size[1] - 1, (2 * y + 1) / size[0] - 1
    batch = max(len(x), len(y))
    columns = x[:, None].expand(batch, y.shape[1], -1)
    return torch.stack((columns, y[..., None].expand(batch, -1, x.shape[1])), dim=-1)


def sample_grid(image: Tensor, grid: Tensor) -> Tensor:
    """Sample at any points, in float32 at least.

    Args:
        image: Shape (N, C, H, W); integers become floating point.
        grid: See :func:`to_grid`, shape (N, h, w, 2), or (1, h, w, 2) for all images.

    Returns:
        Shape (N, C, h, w), in the memory format of the image.
    """
    dtype = torch.promote_types(image.dtype, grid.dtype)
    with torch.autocast(image.device.type, enabled=False):
        blocks, grids = _channel_blocks(image.to(dtype), grid.to(dtype))
        sampled = F.grid_sample(
            blocks, grids, mode='bilinear', padding_mode='border', align_corners=False
        )
    sampled = sampled.view(*image.shape[:2], *grid.shape[1:3])
    if is_channels_last(image):
        sampled = sampled.contiguous(memory_format=torch.channels_last)
    return sampled.to(image.dtype) if image.is_floating_point() else sampled


def sample_axes(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sample at the raster of x and y: rows first, then columns.

    The same as :func:`sample_grid` at these points, for a fraction of the work: rows are copied as
    wholes, only those that are needed, and integers become floating point no earlier. What needs no
    gradient is done in bands of rows that stay in the cache.

    Args:
        image: Shape (N, C, H, W); integers become floating point.
        x: Columns, shape (N, w), or (1, w) for all images.
        y: Rows, shape (N, h) or (1, h).

    Returns:
        Shape (N, C, h, w), in the memory format of the image.
    """
    with torch.autocast(image.device.type, enabled=False):
        rows, columns = _neighbours(y, image.shape[2]), _neighbours(x, image.shape[3])
        needs_gradient = any(tensor.requires_grad for tensor in (image, x, y))
        if is_compiling() or (needs_gradient and torch.is_grad_enabled()):
            return _sample_band(image, columns, rows)
        dtype = image.dtype if image.is_floating_point() else y.dtype
        sampled = torch.empty(
            (*image.shape[:2], y.shape[1], x.shape[1]),
            dtype=dtype,
            device=image.device,
            memory_format=(
                torch.channels_last if is_channels_last(image) else torch.contiguous_format
            ),
        )
        height = max(_BAND // (image.shape[0] * image.shape[1] * image.shape[3]), 1)
        for top in range(0, y.shape[1], height):
            band = slice(top, top + height)
            low, high, share = (part[:, band] for part in rows)
            _sample_band(image, columns, (low, high, share), out=sampled[:, :, band])
        return sampled


def _channel_blocks(image: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Blocks of channels as images of their own, each with its grid.

    On a CPU ``grid_sample`` shares images among threads, but not channels, and goes through all
    channels before the next few pixels: thousands of planes do not stay in the cache.
    """
    n, channels, h, w = image.shape
    count = channels // _BLOCK
    if image.device.type != 'cpu' or channels % _BLOCK or not image.is_contiguous():
        return image, grid.expand(n, -1, -1, -1)
    if grid.shape[0] > 1:
        grid = grid.repeat_interleave(count, dim=0)
    return image.view(n * count, _BLOCK, h, w), grid.expand(n * count, -1, -1, -1)


def is_channels_last(image: Tensor) -> bool:
    """Whether the channels of a pixel lie side by side, and not those of a plane."""
    return not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last)


def _neighbours(position: Tensor, count: int) -> Neighbours:
    """The pixels on both sides of positions (N or 1, m), and the share of the second."""
    position = position.clamp(0, count - 1)
    low = position.detach().long()
    return low, (low + 1).clamp(max=count - 1), position - low


def _sample_band(
    image: Tensor,
    columns: Neighbours,
    rows: Neighbours,
    out: Tensor | None = None,
) -> Tensor:
    """A band of rows, all columns, written to ``out`` if there is one."""
    n, c, h, w = image.shape
    fits = out is not None and torch.promote_types(image.dtype, rows[2].dtype) == out.dtype
    target = out if fits else None
    if is_channels_last(image):
        lines = _lerp(image.permute(0, 2, 3, 1).reshape(n, 1, h, w * c), *rows)
        target = None if target is None else target.permute(0, 2, 3, 1)
        sampled = _lerp(lines.reshape(n, -1, w, c), *columns, target).permute(0, 3, 1, 2)
    else:
        sampled = _lerp_last(_lerp(image, *rows), *columns, target)
    if out is not None:
        return out if fits else out.copy_(sampled)
    return sampled.to(image.dtype) if image.is_floating_point() else sampled


def _lerp(
    values: Tensor, low: Tensor, high: Tensor, share: Tensor, out: Tensor | None = None
) -> Tensor:
    """Interpolate (N, B, n, K) along n: (N, B, m, K)."""
    batch, blocks, count, width = values.shape
    lines = values.reshape(batch * blocks * count, width)
    first = torch.arange(batch * blocks, device=values.device).view(batch, blocks, 1) * count
    dtype = torch.promote_types(values.dtype, share.dtype)

    def take(index: Tensor) -> Tensor:
        taken = lines.index_select(0, (first + index[:, None]).flatten())
        return taken.view(batch, blocks, -1, width).to(dtype)

    return torch.lerp(take(low), take(high), share.to(dtype)[:, None, :, None], out=out)


def _lerp_last(
    values: Tensor, low: Tensor, high: Tensor, share: Tensor, out: Tensor | None = None
) -> Tensor:
    """Interpolate (N, C, H, n) along n: (N, C, H, m)."""

    def take(index: Tensor) -> Tensor:
        return values.gather(-1, index[:, None, None].expand(*values.shape[:-1], -1))

    return torch.lerp(take(low), take(high), share.to(values.dtype)[:, None, None], out=out)
