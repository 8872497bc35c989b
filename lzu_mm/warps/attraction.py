"""From saliency to the knots of a warp: every knot is drawn towards the saliency around it.

Convention: see :mod:`lzu_mm.warps.base`. Node i of an axis of n stands at i/(n - 1).

The formula is Recasens et al., ECCV 2018, equation 3, with the padding of FOVEA (Thavamani et
al., ICCV 2021): T(x_k) = Σ_i S_i g(k - i) x_i / Σ_i S_i g(k - i). It is computed as the
displacement T(x_k) - x_k, in which uniform saliency cancels to zero without rounding.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from . import fused

# Relative to the largest saliency: gives a knot without any saliency in its reach the identity,
# and is too small to be seen by any other.
_FLOOR = 1e-12
# Values of the windows over a map, of which several copies are made: 0.8 GB each in float32.
_MOST_WINDOWS = 200_000_000


def separable_knots(saliency: Tensor, fwhm: float, anti_crop: bool) -> tuple[Tensor, Tensor]:
    """Knots of each axis from the marginals of the saliency.

    Args:
        saliency: Non-negative, shape (N, 1, h_S, w_S).
        fwhm: Full width at half maximum of the Gaussian kernel, in nodes.
        anti_crop: Reflect the saliency at the borders (edges map to edges) instead of replicating.

    Returns:
        T_x at the nodes, (N, w_S), and T_y at the nodes, (N, h_S): rising, clamped to [0, 1].
    """
    padding = min(saliency.shape[-2:]) - 1
    rows = _scaled(saliency).squeeze(1)
    return (
        _attract_axis(rows.sum(dim=1), padding, fwhm, anti_crop),
        _attract_axis(rows.sum(dim=2), padding, fwhm, anti_crop),
    )


def bilinear_knots(saliency: Tensor, fwhm: float, anti_crop: bool) -> Tensor:
    """Knots of the plane from the saliency and the 2-D kernel.

    Args:
        saliency: Non-negative, shape (N, 1, h_S, w_S).
        fwhm: Full width at half maximum of the Gaussian kernel, in nodes.
        anti_crop: Reflect the saliency at the borders (edges map to edges) instead of replicating.

    Returns:
        T at the nodes, (N, h_S, w_S, 2), x first, clamped to [0, 1].

    Raises:
        ValueError: If the map is too large.
    """
    h, w = saliency.shape[-2:]
    padding = min(h, w) - 1
    if (h + 2 * padding) * w * (2 * padding + 1) > _MOST_WINDOWS:
        raise ValueError(
            f'a saliency map of {h}x{w} cells asks a non-separable warp for gigabytes: make it '
            'smaller, at most 320x320 (compute_saliency.py --grid-shape, saliency.grid_shape), or '
            'set separable=True'
        )
    mode = 'reflect' if anti_crop else 'replicate'
    padded = F.pad(_scaled(saliency), (padding,) * 4, mode=mode).squeeze(1)
    kernel, distance = _kernel(padding, fwhm, padded)
    across = padded.unfold(2, 2 * padding + 1, 1) * kernel
    mass_x, moment_x = across.sum(-1), (across * distance).sum(-1)
    mass_windows = mass_x.unfold(1, 2 * padding + 1, 1) * kernel
    mass = mass_windows.sum(-1)
    shift_x = (moment_x.unfold(1, 2 * padding + 1, 1) * kernel).sum(-1) / mass
    shift_y = (mass_windows * distance).sum(-1) / mass
    x = _displace(shift_x, w, anti_crop)
    y = _displace(shift_y.transpose(1, 2), h, anti_crop).transpose(1, 2)
    return torch.stack((x, y), dim=-1)


def _attract_axis(marginal: Tensor, padding: int, fwhm: float, anti_crop: bool) -> Tensor:
    if fused.takes(marginal, marginal):
        return fused.attract(marginal, padding, fwhm, anti_crop)
    mode = 'reflect' if anti_crop else 'replicate'
    padded = F.pad(marginal[:, None], (padding, padding), mode=mode).squeeze(1)
    kernel, distance = _kernel(padding, fwhm, padded)
    weights = padded.unfold(1, 2 * padding + 1, 1) * kernel
    shift = (weights * distance).sum(-1) / weights.sum(-1)
    return _displace(shift, marginal.shape[1], anti_crop)


def _scaled(saliency: Tensor) -> Tensor:
    peak = saliency.detach().amax(dim=(2, 3), keepdim=True)
    return saliency / torch.where(peak > 0, peak, torch.ones_like(peak)) + _FLOOR


def _kernel(padding: int, fwhm: float, like: Tensor) -> tuple[Tensor, Tensor]:
    distance = torch.arange(-padding, padding + 1, device=like.device, dtype=like.dtype)
    return torch.exp(-4 * math.log(2) * (distance / fwhm) ** 2), distance


def _displace(shift: Tensor, count: int, anti_crop: bool) -> Tensor:
    """Move the nodes of the last axis by a shift in nodes."""
    nodes = torch.arange(count, device=shift.device, dtype=shift.dtype)
    if anti_crop:
        # The reflected saliency is symmetric about the edges, so that the shift there is zero but
        # for rounding.
        shift = shift * ((nodes > 0) & (nodes < count - 1))
    return ((nodes + shift) / (count - 1)).clamp(0, 1)
