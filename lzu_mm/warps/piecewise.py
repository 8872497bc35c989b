"""Piecewise linear functions on evenly spaced knots and their inverse, batched.

Convention: knot k of n stands at k/(n - 1); arguments and values lie in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor


def segment(position: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Find the segment between ``count`` even knots, and the place within it.

    Args:
        position: Positions in [0, 1], any shape.
        count: Number of knots, at least 2.

    Returns:
        Index of the knot to the left (int64, at most count - 2) and the fraction in [0, 1] of the
        way to the next one, both with the shape of ``position``.
    """
    scaled = position * (count - 1)
    left = scaled.detach().long().clamp(0, count - 2)
    return left, scaled - left


def divide(values: Tensor, count: int) -> Tensor:
    """Divide, rounded once: CUDA multiplies by the reciprocal of a number, which rounds twice."""
    if values.device.type == 'cuda':
        return values / torch.full((), count, device=values.device, dtype=values.dtype)
    return values / count


def interpolate(values: Tensor, position: Tensor) -> Tensor:
    """Evaluate piecewise linear functions.

    Args:
        values: Values at the knots, shape (..., n).
        position: Positions in [0, 1], shape (..., m).

    Returns:
        Values at the positions, shape (..., m).
    """
    intervals = values.shape[-1] - 1
    left, _ = segment(position, values.shape[-1])
    low, high = values.gather(-1, left), values.gather(-1, left + 1)
    start, end = divide(left.to(low), intervals), divide((left + 1).to(low), intervals)
    return _through(start, end, low, high, position)


def invert(values: Tensor, target: Tensor) -> Tensor:
    """Evaluate the inverse of strictly rising piecewise linear functions.

    Args:
        values: Values at the knots, strictly rising along the last axis, shape (..., n).
        target: Values to find, shape (..., m); beyond the first or last value the edge is returned.

    Returns:
        Positions in [0, 1] at which the functions take these values, shape (..., m).
    """
    intervals = values.shape[-1] - 1
    left = _segment_of(values, target)
    low, high = values.gather(-1, left), values.gather(-1, left + 1)
    start, end = divide(left.to(low), intervals), divide((left + 1).to(low), intervals)
    return _through(low, high, start, end, target).clamp(start, end)


def locate(values: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Find the segment of strictly rising values in which a target lies.

    Args:
        values: Strictly rising along the last axis, shape (..., n).
        target: Shape (..., m).

    Returns:
        Index of the knot below (int64, 0 … n - 2) and the fraction in [0, 1] of the way to the next
        one, both of shape (..., m).
    """
    left = _segment_of(values, target)
    low, high = values.gather(-1, left), values.gather(-1, left + 1)
    return left, ((target - low) / (high - low)).clamp(0, 1)


def _segment_of(values: Tensor, target: Tensor) -> Tensor:
    above = torch.searchsorted(values.detach().contiguous(), target.detach().contiguous())
    return (above - 1).clamp(0, values.shape[-1] - 2)


def _through(start: Tensor, end: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
    """The line through (start, low) and (end, high); the position itself, to the bit, if y = x."""
    return low + (position - start) * ((high - low) / (end - start))


def segments_of_axis(values: Tensor, target: Tensor, dim: int) -> Tensor:
    """Find the segments of strictly rising values in which even targets lie.

    The values are counted into the gaps between the targets instead of the other way round: there
    are fewer of them, and on even targets that is arithmetic.

    Args:
        values: Strictly rising along ``dim``, three axes of which the first is N.
        target: Rising evenly, shape (N, m); only those up to the first that does not are found.
        dim: 1 or 2.

    Returns:
        Index of the value below, 0 … n - 2 for n values (int64), with the shape of ``values`` but
        m along ``dim``.
    """
    count = target.shape[1]
    first = target[:, :1, None]
    step = target[:, 1:2, None] - first if count > 1 else torch.ones_like(first)
    inner = values.narrow(dim, 1, values.shape[dim] - 2)
    # The first target at or above each value; `count` if there is none.
    above = ((inner - first) / step.clamp_min(torch.finfo(values.dtype).tiny)).ceil_()
    above = above.clamp_(0, count).long()
    shape = list(values.shape)
    shape[dim] = count + 1
    begun = torch.zeros(shape, dtype=torch.long, device=values.device)
    begun.scatter_add_(dim, above, torch.ones_like(above))
    return begun.narrow(dim, 0, count).cumsum(dim)
