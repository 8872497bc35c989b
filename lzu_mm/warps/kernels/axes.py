"""The functions of one axis in one kernel each: from saliency to knots, and T or its inverse.

In plain torch they are dozens of kernels over a few hundred numbers, and a GPU waits for their
launches. The formulas are those of :mod:`lzu_mm.warps.attraction`, :mod:`~lzu_mm.warps.equalise`,
:mod:`~lzu_mm.warps.magnification` and :mod:`~lzu_mm.warps.piecewise`; divisions are
rounded as there, so that the identity stays one to the bit.

Imported only where Triton is installed; see :mod:`lzu_mm.warps.fused`. Annotations are evaluated
here: Triton before 3.2 does not see a ``tl.constexpr`` that is a string.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ['attract', 'bound', 'equalise', 'map_axis']

_BLOCK = 128


def map_axis(knots: Tensor, position: Tensor, invert: bool) -> Tensor:
    """See ``SeparableWarp._map_axis``: knots (N, n) at positions (N, m), either N may be 1."""
    count, n = max(len(knots), len(position)), knots.shape[1]
    m = position.shape[1]
    knots, position = knots.contiguous(), position.contiguous()
    mapped = torch.empty(count, m, device=knots.device, dtype=knots.dtype)
    with torch.cuda.device_of(knots):
        _map_axis[(-(-m // _BLOCK), count)](
            knots,
            position,
            mapped,
            n,
            m,
            0 if len(knots) == 1 else n,
            0 if len(position) == 1 else m,
            INVERT=invert,
            STEPS=n.bit_length(),
            BLOCK=_BLOCK,
        )
    return mapped


def attract(marginal: Tensor, padding: int, fwhm: float, anti_crop: bool) -> Tensor:
    """See ``attraction._attract_axis``."""
    marginal = marginal.contiguous()
    knots = torch.empty_like(marginal)
    batch, n = marginal.shape
    with torch.cuda.device_of(marginal):
        _attract[(batch,)](
            marginal,
            knots,
            n,
            padding,
            4 * math.log(2) / fwhm**2,
            ANTI_CROP=anti_crop,
            BLOCK=triton.next_power_of_2(n),
        )
    return knots


def bound(knots: Tensor, limit: float) -> Tensor:
    """See :func:`lzu_mm.warps.magnification.bound_separable`."""
    knots = knots.contiguous()
    bounded = torch.empty_like(knots)
    batch, n = knots.shape
    with torch.cuda.device_of(knots):
        _bound[(batch,)](knots, bounded, n, 1 / limit, BLOCK=triton.next_power_of_2(n))
    return bounded


def equalise(marginal: Tensor, uniform_share: float, limit: float) -> Tensor:
    """See ``equalise._equalise_axis``."""
    marginal = marginal.contiguous()
    batch, n = marginal.shape
    knots = torch.empty(batch, n + 1, device=marginal.device, dtype=marginal.dtype)
    with torch.cuda.device_of(marginal):
        _equalise[(batch,)](
            marginal, knots, n, 1 - uniform_share, limit - 1, BLOCK=triton.next_power_of_2(n)
        )
    return knots


@triton.jit(do_not_specialize=['n', 'm', 'knots_stride', 'position_stride'])
def _map_axis(
    knots,
    position,
    mapped,
    n,
    m,
    knots_stride,
    position_stride,
    INVERT: tl.constexpr,  # noqa: N803
    STEPS: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    image = tl.program_id(1)
    inside = place < m
    values = knots + image * knots_stride
    asked = tl.load(position + image * position_stride + place, mask=inside, other=0.0)
    target = tl.minimum(tl.maximum(asked, 0.0), 1.0)
    intervals = tl.zeros((BLOCK,), tl.float32) + (n - 1)
    if INVERT:
        # The number of knots below the target, by bisection.
        below = tl.zeros((BLOCK,), tl.int32)
        above = tl.zeros((BLOCK,), tl.int32) + n
        for _ in range(STEPS):
            middle = (below + above) // 2
            open_ = below < above
            less = tl.load(values + middle, mask=open_, other=0.0) < target
            below = tl.where(open_ & less, middle + 1, below)
            above = tl.where(open_ & (less == 0), middle, above)
        left = below - 1
    else:
        left = (target * intervals).to(tl.int32)
    left = tl.minimum(tl.maximum(left, 0), n - 2)
    low, high = tl.load(values + left), tl.load(values + left + 1)
    start = tl.div_rn(left.to(tl.float32), intervals)
    end = tl.div_rn((left + 1).to(tl.float32), intervals)
    if INVERT:
        found = start + (target - low) * tl.div_rn(end - start, high - low)
        found = tl.minimum(tl.maximum(found, start), end)
    else:
        found = low + (target - start) * tl.div_rn(high - low, end - start)
    found = tl.where((asked >= 0) & (asked <= 1), found, asked)
    tl.store(mapped + image * m + place, found, mask=inside)


@triton.jit
def _padded(index, n, ANTI_CROP: tl.constexpr):  # noqa: N803
    if ANTI_CROP:
        index = tl.abs(index)
        return tl.where(index >= n, 2 * (n - 1) - index, index)
    return tl.minimum(tl.maximum(index, 0), n - 1)


@triton.jit(do_not_specialize=['n', 'padding'])
def _attract(
    marginal,
    knots,
    n,
    padding,
    narrowness,
    ANTI_CROP: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
):
    node = tl.arange(0, BLOCK)
    inside = node < n
    values = marginal + tl.program_id(0) * n
    mass = tl.load(values + node, mask=inside, other=1.0)
    moment = tl.zeros((BLOCK,), tl.float32)
    for step in range(1, padding + 1):
        distance = tl.zeros((BLOCK,), tl.float32) + step
        kernel = tl.exp(-narrowness * distance * distance)
        ahead = tl.load(values + _padded(node + step, n, ANTI_CROP), mask=inside, other=0.0)
        behind = tl.load(values + _padded(node - step, n, ANTI_CROP), mask=inside, other=0.0)
        mass += kernel * (ahead + behind)
        # In pairs, which cancel without rounding where the saliency is uniform.
        moment += kernel * distance * (ahead - behind)
    shift = tl.div_rn(moment, mass)
    if ANTI_CROP:
        shift = tl.where((node > 0) & (node < n - 1), shift, 0.0)
    last = tl.zeros((BLOCK,), tl.float32) + (n - 1)
    found = tl.div_rn(node.to(tl.float32) + shift, last)
    tl.store(knots + tl.program_id(0) * n + node, tl.minimum(tl.maximum(found, 0.0), 1.0), inside)


@triton.jit(do_not_specialize=['n'])
def _bound(knots, bounded, n, slope, BLOCK: tl.constexpr):  # noqa: N803
    node = tl.arange(0, BLOCK)
    inside = node < n
    values = knots + tl.program_id(0) * n
    here = tl.load(values + node, mask=inside, other=0.0)
    ahead = tl.load(values + node + 1, mask=node < n - 1, other=0.0)
    slopes = (ahead - here) * (n - 1)
    needed = (slope * (1 + 1e-3) - slopes) / tl.maximum(1 - slopes, 1.1920929e-07)
    needed = tl.minimum(tl.maximum(needed, 0.0), 1.0)
    blend = tl.max(tl.where((slopes < slope) & (node < n - 1), needed, 0.0), axis=0)
    last = tl.zeros((BLOCK,), tl.float32) + (n - 1)
    even = tl.div_rn(node.to(tl.float32), last)
    found = tl.where(blend > 0, here + blend * (even - here), here)
    tl.store(bounded + tl.program_id(0) * n + node, found, mask=inside)


@triton.jit(do_not_specialize=['n'])
def _equalise(marginal, knots, n, share, most, BLOCK: tl.constexpr):  # noqa: N803
    cell = tl.arange(0, BLOCK)
    inside = cell < n
    values = tl.load(marginal + tl.program_id(0) * n + cell, mask=inside, other=0.0)
    count = tl.zeros((BLOCK,), tl.float32) + n
    mean = tl.div_rn(tl.zeros((BLOCK,), tl.float32) + tl.sum(values, axis=0), count)
    excess = tl.where(inside, tl.div_rn(share * (values - mean), mean), 0.0)
    excess *= most / tl.maximum(tl.max(excess, axis=0), most)
    even = tl.div_rn((cell + 1).to(tl.float32), count)
    found = even + tl.div_rn(tl.cumsum(excess, axis=0), count)
    own = knots + tl.program_id(0) * (n + 1)
    # The first and the last knot are those of the frame.
    tl.store(own + cell + 1, tl.where(cell == n - 1, 1.0, found), mask=inside)
    tl.store(own + cell, 0.0, mask=cell == 0)
