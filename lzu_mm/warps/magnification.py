"""Keep a warp strictly monotone and its magnification bounded.

T magnifies by the inverse of its slope. Blending T with the identity, (1 - λ) T + λ x, raises every
slope below 1; the smallest λ that raises the flattest place to 1/limit is used, per sample. A warp
that is within its bound is left as it is, to the bit. λ counts as a constant for gradients.
ZoomTrack (Kou et al., NeurIPS 2023) bounds magnification to 1.5-2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import fused


def bound_separable(knots: Tensor, limit: float) -> Tensor:
    """Bound the magnification of one axis.

    Args:
        knots: T at k/(n - 1), rising, shape (N, n).
        limit: Largest magnification, above 1.

    Returns:
        Strictly rising knots, shape (N, n).
    """
    if fused.takes(knots, knots):
        return fused.bound(knots, limit)
    blend = _axis_blend(knots.detach(), 1 / limit).amax(dim=-1, keepdim=True)
    nodes = torch.linspace(0, 1, knots.shape[1], device=knots.device, dtype=knots.dtype)
    return torch.where(blend > 0, torch.lerp(knots, nodes.expand_as(knots), blend), knots)


def bound_bilinear(knots: Tensor, limit: float) -> Tensor:
    """Bound the magnification along rows and columns, and keep every cell convex.

    Args:
        knots: T at the nodes, shape (N, h, w, 2).
        limit: Largest magnification along rows and columns, above 1.

    Returns:
        Knots of an invertible warp, shape (N, h, w, 2).
    """
    _, h, w, _ = knots.shape
    x = torch.linspace(0, 1, w, device=knots.device, dtype=knots.dtype)
    y = torch.linspace(0, 1, h, device=knots.device, dtype=knots.dtype)
    identity = torch.stack((x.expand(h, -1), y[:, None].expand(-1, w)), dim=-1)
    fixed = knots.detach()
    along = _axis_blend(fixed[..., 0], 1 / limit).amax(dim=(1, 2))
    down = _axis_blend(fixed[..., 1].transpose(1, 2), 1 / limit).amax(dim=(1, 2))
    blend = torch.maximum(along, down)
    blend = torch.maximum(blend, _convexity_blend(fixed, identity, limit**-2))[:, None, None, None]
    return torch.where(blend > 0, torch.lerp(knots, identity.expand_as(knots), blend), knots)


def _axis_blend(knots: Tensor, slope: float) -> Tensor:
    """λ that lifts each slope to at least ``slope``: (1 - λ) s + λ = slope."""
    slopes = knots.diff(dim=-1) * (knots.shape[-1] - 1)
    # A hair more than needed, so that rounding does not undo it.
    needed = (slope * (1 + 1e-3) - slopes) / (1 - slopes).clamp_min(torch.finfo(knots.dtype).eps)
    return torch.where(slopes < slope, needed, torch.zeros_like(needed)).clamp(0, 1)


def _convexity_blend(knots: Tensor, identity: Tensor, area: float) -> Tensor:
    """Smallest of a few λ at which all corners of all cells turn the same way: (N,)."""
    # Made on the device: a tensor of a list would be copied there, and waited for.
    halvings = torch.arange(11, -1, -1, device=knots.device, dtype=knots.dtype)
    steps = torch.where(halvings < 11, 0.5**halvings, 0.0)
    blended = torch.lerp(knots[:, None], identity, steps[:, None, None, None])
    scale = (knots.shape[1] - 1) * (knots.shape[2] - 1)
    right = blended.diff(dim=3)
    down = blended.diff(dim=2)
    turns = [
        _cross(right[:, :, :-1], down[:, :, :, :-1]),
        _cross(right[:, :, :-1], down[:, :, :, 1:]),
        _cross(right[:, :, 1:], down[:, :, :, :-1]),
        _cross(right[:, :, 1:], down[:, :, :, 1:]),
    ]
    convex = torch.stack([(turn * scale).amin(dim=(2, 3)) for turn in turns]).amin(dim=0) >= area
    # The identity, the last step, is convex: argmax finds the first step that is.
    return steps[convex.to(torch.uint8).argmax(dim=1)]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
