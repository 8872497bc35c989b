"""From saliency to a warp whose magnification is the saliency itself: histogram equalisation.

An axis' share of saliency m (a density of mean 1) and a uniform share a give p = (1 - a) m + a,
and the inverse warp is its integral, T⁻¹(u) = ∫₀ᵘ p. The magnification at u is p(u). It needs no
kernel, maps edges to edges and never falls below a. By Gibbs' inequality no other warp of an axis
has a larger mean log magnification over objects distributed as p.

Convention: see :mod:`lzu_mm.warps.base`. Cell i of an axis of n covers [i/n, (i + 1)/n] of the
source, and p is constant within a cell, so that T⁻¹ is piecewise linear between n + 1 even knots.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from . import fused
from .piecewise import divide


def equalising_knots(
    saliency: Tensor, uniform_share: float, max_magnification: float
) -> tuple[Tensor, Tensor]:
    """Knots of the inverse warp of each axis, from the marginals of the saliency.

    Where p would exceed the bound it is blended with 1, per axis and by just as much as needed; how
    much counts as a constant for gradients.

    Args:
        saliency: Non-negative, shape (N, 1, h_S, w_S).
        uniform_share: a, the smallest magnification, in (0, 1].
        max_magnification: Bound of the magnification of an axis, above 1.

    Returns:
        T⁻¹_x at i/w_S, shape (N, w_S + 1), and T⁻¹_y at i/h_S, shape (N, h_S + 1): strictly rising
        from 0 to 1, and to the bit i/n for uniform saliency.
    """
    cells = _scaled(saliency).squeeze(1)
    return (
        _equalise_axis(cells.sum(dim=1), uniform_share, max_magnification),
        _equalise_axis(cells.sum(dim=2), uniform_share, max_magnification),
    )


def _equalise_axis(marginal: Tensor, uniform_share: float, limit: float) -> Tensor:
    if fused.takes(marginal, marginal):
        return fused.equalise(marginal, uniform_share, limit)
    count = marginal.shape[1]
    mean = divide(marginal.sum(dim=1, keepdim=True), count)
    # p - 1, which is zero without rounding where the saliency is uniform.
    excess = (1 - uniform_share) * (marginal - mean) / mean
    peak = excess.detach().amax(dim=1, keepdim=True)
    excess = excess * ((limit - 1) / peak.clamp_min(limit - 1))
    displacement = F.pad(excess[:, :-1].cumsum(dim=1), (1, 1)) / count
    even = divide(torch.arange(count + 1, device=marginal.device, dtype=marginal.dtype), count)
    return even + displacement


def _scaled(saliency: Tensor) -> Tensor:
    """Saliency with a peak of 1; constant saliency, zero too, becomes exactly 1."""
    peak = saliency.detach().amax(dim=(2, 3), keepdim=True)
    return torch.where(peak > 0, saliency, 1.0) / torch.where(peak > 0, peak, 1.0)
