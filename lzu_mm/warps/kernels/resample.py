"""Separable resampling in one kernel: what ``grid_sample`` and matrices of area weights do in many.

Every output pixel adds up the taps of a triangle along each axis: ±1 pixel for bilinear sampling,
±s where it stands for s > 1 pixels. ``grid_sample`` gives a thread all channels of a pixel, which
leaves a GPU idle for a single image; here channels are shared out as well, half precision is read
and written as it is, and no grid is made.

Imported only where Triton is installed; see :mod:`lzu_mm.warps.fused`. Annotations are evaluated
here: Triton before 3.2 does not see a ``tl.constexpr`` that is a string.
"""

from typing import Any, Optional, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..sampling import is_channels_last
from ..taps import Taps

__all__ = ['resample']


def resample(values: Tensor, taps: Taps, dtype: torch.dtype) -> Tensor:
    """Add up the taps of each output pixel, in float32.

    Args:
        values: Shape (N, C, H, W), uint8 or floating point.
        taps: Of N images, or of one for all.
        dtype: Of the result.

    Returns:
        Shape (N, C, h, w), in the memory format of ``values``; differentiable with respect to them.

    Raises:
        ValueError: If the taps are of another number of images.
    """
    n = values.shape[0]
    if not {taps.x.shape[0], taps.y.shape[0]} <= {1, n}:
        raise ValueError(f'{n} images, but warps of {taps.x.shape[0]}')
    if values.requires_grad and torch.is_grad_enabled():
        return _Resample.apply(values, taps, dtype, None)
    return _launch(values, taps, dtype, None)


class _Resample(torch.autograd.Function):
    """Linear in the values: its backward is the transposed map, and the backward of that itself."""

    @staticmethod
    def forward(
        values: Tensor, taps: Taps, dtype: torch.dtype, onto: Optional[Tuple[int, int]]
    ) -> Tensor:
        return _launch(values, taps, dtype, onto)

    @staticmethod
    def setup_context(ctx: Any, inputs: Tuple[Any, ...], output: Tensor) -> None:
        values, ctx.taps, _, onto = inputs
        ctx.dtype = values.dtype
        ctx.onto = tuple(values.shape[2:]) if onto is None else None

    @staticmethod
    def backward(ctx: Any, pull: Tensor) -> Tuple[Tensor, None, None, None]:
        return _Resample.apply(pull, ctx.taps, ctx.dtype, ctx.onto), None, None, None


def _launch(
    values: Tensor, taps: Taps, dtype: torch.dtype, onto: Optional[Tuple[int, int]]
) -> Tensor:
    """Gather from the values, or scatter them onto a level of (H, W)."""
    n, channels = values.shape[:2]
    h, w = taps.y.shape[1], taps.x.shape[1]
    last = is_channels_last(values)
    result = torch.empty if onto is None else torch.zeros
    made = result(
        (n, channels, *((h, w) if onto is None else onto)),
        dtype=dtype if onto is None else torch.float32,
        device=values.device,
    )
    if last:
        made = made.contiguous(memory_format=torch.channels_last)
    level, laid = (values, made) if onto is None else (made, values)
    block_c, block_p = (64, 16) if last else (8, 128) if channels > 4 else (4, 128)
    # Rounded up by hand: triton.cdiv takes as long as making a tensor.
    grid = (-(-h * w // block_p), -(-channels // block_c), n)
    area = taps.scale_x is not None
    beyond = taps.own_x is not None
    if n == 0 or channels == 0:
        return made.to(dtype)
    with torch.cuda.device_of(values):
        _resample[grid](
            level,
            laid,
            taps.x,
            taps.y,
            taps.scale_x if area else taps.x,
            taps.scale_y if area else taps.y,
            taps.own_x if beyond else taps.x,
            taps.own_y if beyond else taps.y,
            taps.beyond_x if beyond else taps.x,
            taps.beyond_y if beyond else taps.y,
            channels,
            *level.shape[2:],
            h,
            w,
            *level.stride(),
            *laid.stride(),
            0 if taps.x.shape[0] == 1 else w,
            0 if taps.y.shape[0] == 1 else h,
            SCATTER=onto is not None,
            AREA=area,
            BEYOND=beyond,
            LAST=last,
            BLOCK_C=block_c,
            BLOCK_P=block_p,
        )
    return made if made.dtype == dtype else made.to(dtype)


@triton.jit
def _weight(index, position, slope, count):
    weight = tl.maximum(1 - tl.abs(index.to(tl.float32) - position) * slope, 0.0)
    return tl.where((index >= 0) & (index < count), weight, 0.0)


@triton.jit
def _reach(first, position, scale, inside, AREA: tl.constexpr):  # noqa: N803
    """Most taps of a pixel of the block."""
    if AREA:
        last = tl.ceil(position + scale).to(tl.int32) - 1
        return tl.max(tl.where(inside, last - first + 1, 0), axis=0)
    return 2


# A kernel for each size, each of which takes a second to compile, would be no faster.
_SIZES = [
    'channels',
    'level_h',
    'level_w',
    'h',
    'w',
    'level_n_stride',
    'level_c_stride',
    'level_h_stride',
    'level_w_stride',
    'laid_n_stride',
    'laid_c_stride',
    'laid_h_stride',
    'laid_w_stride',
    'x_stride',
    'y_stride',
]


@triton.jit(do_not_specialize=_SIZES)
def _resample(
    level,
    laid,
    x,
    y,
    scale_x,
    scale_y,
    own_x,
    own_y,
    beyond_x,
    beyond_y,
    channels,
    level_h,
    level_w,
    h,
    w,
    level_n_stride,
    level_c_stride,
    level_h_stride,
    level_w_stride,
    laid_n_stride,
    laid_c_stride,
    laid_h_stride,
    laid_w_stride,
    x_stride,
    y_stride,
    SCATTER: tl.constexpr,  # noqa: N803
    AREA: tl.constexpr,  # noqa: N803
    BEYOND: tl.constexpr,  # noqa: N803
    LAST: tl.constexpr,  # noqa: N803
    BLOCK_C: tl.constexpr,  # noqa: N803
    BLOCK_P: tl.constexpr,  # noqa: N803
):
    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    image = tl.program_id(2).to(tl.int64)
    inside = pixel < h * w
    row, column = pixel // w, pixel % w
    at_x = tl.load(x + image * x_stride + column, mask=inside, other=0.0)
    at_y = tl.load(y + image * y_stride + row, mask=inside, other=0.0)
    wide_x = tl.full((BLOCK_P,), 1.0, tl.float32)
    wide_y = wide_x
    if AREA:
        wide_x = tl.load(scale_x + image * x_stride + column, mask=inside, other=1.0)
        wide_y = tl.load(scale_y + image * y_stride + row, mask=inside, other=1.0)
    if BEYOND:
        stays = tl.load(beyond_x + image * x_stride + column, mask=inside, other=0) != 0
        stays = stays | (tl.load(beyond_y + image * y_stride + row, mask=inside, other=0) != 0)
        at_x = tl.where(stays, tl.load(own_x + column, mask=inside, other=0.0), at_x)
        at_y = tl.where(stays, tl.load(own_y + row, mask=inside, other=0.0), at_y)
        wide_x = tl.where(stays, 1.0, wide_x)
        wide_y = tl.where(stays, 1.0, wide_y)
    if not AREA:
        at_x = tl.minimum(tl.maximum(at_x, 0.0), level_w - 1.0)
        at_y = tl.minimum(tl.maximum(at_y, 0.0), level_h - 1.0)
    first_x = tl.floor(at_x - wide_x).to(tl.int32) + 1
    first_y = tl.floor(at_y - wide_y).to(tl.int32) + 1
    taps_x = _reach(first_x, at_x, wide_x, inside, AREA)
    taps_y = _reach(first_y, at_y, wide_y, inside, AREA)

    # Exactly 1 where a pixel stands for one, as a plain division would not have it.
    slope_x = tl.div_rn(tl.full((BLOCK_P,), 1.0, tl.float32), wide_x)
    slope_y = tl.div_rn(tl.full((BLOCK_P,), 1.0, tl.float32), wide_y)
    total_x = tl.zeros((BLOCK_P,), tl.float32)
    total_y = tl.zeros((BLOCK_P,), tl.float32)
    for tap in range(taps_x):
        total_x += _weight(first_x + tap, at_x, slope_x, level_w)
    for tap in range(taps_y):
        total_y += _weight(first_y + tap, at_y, slope_y, level_h)
    # Of pixels beyond the block nothing is kept.
    total = tl.where(inside, total_x * total_y, 1.0)
    share = tl.div_rn(tl.full((BLOCK_P,), 1.0, tl.float32), total)

    own = (channel < channels)[:, None] & inside[None, :]
    if LAST:
        plane = level + image * level_n_stride + channel[:, None]
        target = laid + image * laid_n_stride + channel[:, None]
    else:
        plane = level + image * level_n_stride + channel.to(tl.int64)[:, None] * level_c_stride
        target = laid + image * laid_n_stride + channel.to(tl.int64)[:, None] * laid_c_stride
    target += (row * laid_h_stride + column * laid_w_stride)[None, :]
    summed = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    if SCATTER:
        summed = tl.load(target, mask=own, other=0.0).to(tl.float32) * share[None, :]
    for tap_y in range(taps_y):
        index_y = first_y + tap_y
        weight_y = _weight(index_y, at_y, slope_y, level_h)
        for tap_x in range(taps_x):
            index_x = first_x + tap_x
            weight = weight_y * _weight(index_x, at_x, slope_x, level_w)
            source = plane + (index_y * level_h_stride + index_x * level_w_stride)[None, :]
            takes = own & (weight > 0)[None, :]
            if SCATTER:
                tl.atomic_add(source, summed * weight[None, :], mask=takes, sem='relaxed')
            else:
                value = tl.load(source, mask=takes, other=0.0).to(tl.float32)
                summed += weight[None, :] * value
    if not SCATTER:
        tl.store(target, (summed * share[None, :]).to(laid.dtype.element_ty), mask=own)
