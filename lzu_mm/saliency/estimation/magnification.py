"""How much larger objects get: what a zoom is worth before anything is trained.

Convention: see :mod:`lzu_mm.warps.base`. Magnification compares with a uniform resize to the same
size: 2 along x means that an object is twice as wide in the zoomed image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...warps import Warp

__all__ = [
    'cells_as_boxes',
    'describe_magnification',
    'magnification',
    'same_aspect',
    'share_below',
]


def magnification(boxes: Tensor, warp: Warp) -> Tensor:
    """Magnification of boxes along x and y, measured through their centres.

    Args:
        boxes: (K, 4) as (x1, y1, x2, y2), in shares of the image, of positive size.
        warp: A batch of one.

    Returns:
        Shape (K, 2).
    """
    x1, y1, x2, y2 = boxes.double().clamp(0, 1).unbind(dim=1)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    ends = [torch.stack(point, dim=1) for point in ((x1, y), (x2, y), (x, y1), (x, y2))]
    left, right, top, bottom = (warp.to_zoomed(points[None])[0].double() for points in ends)
    size = torch.stack((x2 - x1, y2 - y1), dim=1)
    return torch.stack(((right - left)[:, 0], (bottom - top)[:, 1]), dim=1) / size


def cells_as_boxes(saliency: Tensor) -> tuple[Tensor, Tensor]:
    """The cells of a map as boxes, for maps that are not made of boxes.

    Args:
        saliency: (h_S, w_S).

    Returns:
        Boxes (h_S·w_S, 4) in shares of the image, and their saliency, which sums to 1.
    """
    h, w = saliency.shape
    y, x = torch.meshgrid(torch.arange(h) / h, torch.arange(w) / w, indexing='ij')
    boxes = torch.stack((x, y, x + 1 / w, y + 1 / h), dim=-1).view(-1, 4)
    return boxes, (saliency / saliency.sum()).flatten()


def same_aspect(saliency: Tensor, warp: Warp) -> tuple[float, float]:
    """By how much to resize so that objects keep their aspect on average, and the image its pixels.

    Args:
        saliency: (h_S, w_S), where the objects are.
        warp: The warp made from it, a batch of one.

    Returns:
        Factors of the height and the width of the zoomed image, whose product is 1: at these, the
        mean log magnification over the saliency is the same along both axes.
    """
    boxes, weights = cells_as_boxes(saliency)
    gain_x, gain_y = (weights.double()[:, None] * magnification(boxes, warp).log()).sum(dim=0)
    factor = math.exp((gain_x - gain_y).item() / 2)
    return factor, 1 / factor


def describe_magnification(
    factors: Tensor, weights: Tensor | None = None
) -> dict[str, dict[str, float]]:
    """Sum magnifications up.

    Args:
        factors: From :func:`magnification`, (K, 2), at least one.
        weights: (K,) how much each counts; alike by default.

    Returns:
        For ``'x'``, ``'y'`` and ``'size'`` (the root of the area): ``'median'``, ``'p10'``,
        ``'p90'`` and the geometric ``'mean'``.
    """
    weights = torch.ones(len(factors)) if weights is None else weights
    share = (weights / weights.sum()).double()
    columns = {'x': factors[:, 0], 'y': factors[:, 1], 'size': factors.prod(dim=1).sqrt()}
    return {
        name: {
            'median': _quantile(column, share, 0.5),
            'p10': _quantile(column, share, 0.1),
            'p90': _quantile(column, share, 0.9),
            'mean': math.exp((share * column.log()).sum().item()),
        }
        for name, column in columns.items()
    }


def share_below(
    boxes: Tensor, factors: Tensor, shape: tuple[int, int], limit: float = 8
) -> tuple[float, float]:
    """How many objects are too small to be found at the input of a network.

    Args:
        boxes: As for :func:`magnification`.
        factors: What it returned for them.
        shape: (h, w) of the zoomed image.
        limit: Side of the square of the same area, pixels.

    Returns:
        Shares of the objects below the limit in an image resized uniformly, and in the zoomed one.

    Example:
        >>> boxes = torch.tensor([[0, 0, 0.1, 0.1], [0, 0, 0.5, 0.5]])  # 6 and 30 pixels of 60
        >>> share_below(boxes, torch.full((2, 2), 1.5), (60, 60))
        (0.5, 0.0)
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).double() * factors.new_tensor([shape[1], shape[0]])
    plain, zoomed = (s.prod(dim=1).sqrt() < limit for s in (sides, sides * factors))
    return plain.double().mean().item(), zoomed.double().mean().item()


def _quantile(values: Tensor, share: Tensor, level: float) -> float:
    order = values.argsort()
    index = torch.searchsorted(share[order].cumsum(0), level).clamp(max=len(order) - 1)
    return values[order][index].item()
