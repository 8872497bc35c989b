"""A warp of a part of an image, as a letterboxed image needs it."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Warp


class PartWarp(Warp):
    """Warps the upper left part of each image, and leaves what lies beyond.

    Args:
        inner: A batch of N warps, each over its part.
        share: (x, y) of the image that the part covers, in (0, 1], shape (N, 2).

    Example:
        >>> from lzu_mm.warps import SeparableWarp
        >>> knots_x, knots_y = torch.tensor([[0.0, 1]]), torch.tensor([[0, 0.25, 1]])
        >>> warp = PartWarp(SeparableWarp(knots_x, knots_y), torch.tensor([[1, 0.5]]))
        >>> warp.to_zoomed(torch.tensor([[[0.5, 0.125], [0.5, 0.75]]]))
        tensor([[[0.5000, 0.2500],
                 [0.5000, 0.7500]]])
    """

    def __init__(self, inner: Warp, share: Tensor) -> None:
        super().__init__()
        self.inner = inner
        # Without waiting for the device.
        self.share = share.to(inner.knots_like, non_blocking=True)

    @property
    def knots_like(self) -> Tensor:
        """See :class:`Warp`."""
        return self.inner.knots_like

    def index(self, samples: slice | Tensor) -> PartWarp:
        """See :class:`Warp`."""
        return PartWarp(self.inner.index(samples), self.share[samples])

    def map_points(self, points: Tensor, inverse: bool) -> Tensor:
        """See :class:`Warp`."""
        share = self.share[:, None]
        go = self.inner.to_zoomed if inverse else self.inner.to_source
        return go(points / share) * share

    def map_axes(self, x: Tensor, y: Tensor, inverse: bool) -> Tensor:
        """See :class:`Warp`."""
        share_x, share_y = self.share.split(1, dim=1)
        mapped = self.inner.raster(x / share_x, y / share_y, inverse)
        return mapped * self.share[:, None, None]


def warp_of_parts(warp: Warp, shares: list[tuple[float, float]]) -> Warp:
    """The warps of whole images, of which only parts are warped.

    Args:
        warp: N warps, or one for all.
        shares: (h, w) of each of the N images that its part covers.

    Returns:
        The same where every part is the whole, else N warps.
    """
    if all(share == (1, 1) for share in shares):
        return warp
    if len(warp) < len(shares):
        warp = warp.index(torch.zeros(len(shares), dtype=torch.long, device=warp.knots_like.device))
    return PartWarp(warp, torch.tensor([(w, h) for h, w in shares]))
