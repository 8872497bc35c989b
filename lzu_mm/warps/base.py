"""The interface of a warp, and how its grids are built.

Convention (the whole package):
    - A point is (x, y), a size is (h, w).
    - Normalised coordinates lie in [0, 1] over the image content; pixel i of n covers
      [i/n, (i+1)/n] and its centre is (i + 0.5)/n. This is ``align_corners=False`` of
      :func:`torch.nn.functional.grid_sample` with grid = 2u - 1.
    - T maps the zoomed image to the source image, its inverse the source to the zoomed image.
    - Outside [0, 1] (the padding of a canvas) T is the identity.
    - ``align_corners=True`` instead puts pixel i of n at i/(n - 1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Callable, Hashable

import torch
from torch import Tensor

from .compat import is_capturing, is_compiling

# Enough for all levels of a few sizes of images; a dataset may hold thousands.
_MAX_KNOWN = 64


def pixel_positions(count: int, like: Tensor, align_corners: bool = False) -> Tensor:
    """Positions of the pixels of an axis in normalised coordinates.

    Args:
        count: Number of pixels n of the axis, at least 1.
        like: Gives device and dtype.
        align_corners: Put pixel i at i/(n - 1) instead of (i + 0.5)/n.

    Returns:
        Positions, shape (n,).

    Example:
        >>> pixel_positions(4, like=torch.empty(0))
        tensor([0.1250, 0.3750, 0.6250, 0.8750])
    """
    index = torch.arange(count, device=like.device, dtype=like.dtype)
    if align_corners:
        return index / max(count - 1, 1)
    return (index + 0.5) / count


def to_index(position: Tensor, count: int, align_corners: bool = False) -> Tensor:
    """Turn normalised coordinates into pixel indices; the inverse of :func:`pixel_positions`.

    Args:
        position: Normalised coordinates along an axis, any shape.
        count: Number of pixels n of the axis.
        align_corners: Pixel i stands at i/(n - 1) instead of (i + 0.5)/n.

    Returns:
        Pixel indices, those of centres being whole.

    Example:
        >>> to_index(torch.tensor([0.125, 0.5, 1.0]), 4)
        tensor([0.0000, 1.5000, 3.5000])
    """
    return position * (count - 1) if align_corners else position * count - 0.5


class Warp(ABC):
    """A batch of invertible maps T of the unit square, piecewise (bi)linear between knots.

    Attributes:
        knots_like: Any tensor of the warp, for its batch size, device and dtype.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Make something that depends on the warp and a key once, and keep it with the warp.

        A warp that carries gradients belongs to one batch and keeps nothing.

        Args:
            key: What it depends on besides the warp.
            make: Makes it.

        Returns:
            What was made.
        """
        if self.knots_like.requires_grad or is_compiling():
            return make()
        known = self._known.get(key)
        if known is None and is_capturing(self.knots_like):
            return make()
        if known is None:
            # What is made in inference mode could not be used in training later.
            with torch.inference_mode(False), torch.no_grad():
                known = make()
            # Another thread may empty it at any time.
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    @property
    @abstractmethod
    def knots_like(self) -> Tensor:
        """A tensor with the batch axis, device and dtype of the warp."""

    @abstractmethod
    def index(self, samples: slice | Tensor) -> Warp:
        """The warp of some samples of the batch."""

    @abstractmethod
    def map_points(self, points: Tensor, inverse: bool) -> Tensor:
        """T or its inverse at points (N, P, 2) inside [0, 1]."""

    @abstractmethod
    def map_axes(self, x: Tensor, y: Tensor, inverse: bool) -> Tensor:
        """T or its inverse at the raster of x (N, w) and y (N, h): (N, h, w, 2)."""

    def __len__(self) -> int:
        return self.knots_like.shape[0]

    def to_source(self, points: Tensor) -> Tensor:
        """Map points of the zoomed image to the source image (T).

        Args:
            points: Normalised (x, y), shape (N, P, 2); outside [0, 1] T is the identity.

        Returns:
            Normalised points in the source image, shape (N, P, 2).

        Convention:
            (x, y) in [0, 1] over the image content; the centre of pixel i of n is (i + 0.5)/n, or
            i/(n - 1) with ``align_corners``.

        Example:
            >>> from lzu_mm.warps import SeparableWarp
            >>> knots_x, knots_y = torch.tensor([[0, 0.25, 1]]), torch.tensor([[0.0, 1]])
            >>> warp = SeparableWarp(knots_x, knots_y)  # the left quarter fills the left half
            >>> warp.to_source(torch.tensor([[[0.5, 0.25]]]))
            tensor([[[0.2500, 0.2500]]])
        """
        return self._map(points, inverse=False)

    def to_zoomed(self, points: Tensor) -> Tensor:
        """Map points of the source image to the zoomed image (the inverse of T).

        Args:
            points: Normalised (x, y), shape (N, P, 2); outside [0, 1] T is the identity. Where T
                does not reach (only without anti-crop), the nearest edge is returned.

        Returns:
            Normalised points in the zoomed image, shape (N, P, 2).

        Convention:
            (x, y) in [0, 1] over the image content; the centre of pixel i of n is (i + 0.5)/n, or
            i/(n - 1) with ``align_corners``.

        Example:
            >>> from lzu_mm.warps import SeparableWarp
            >>> knots_x, knots_y = torch.tensor([[0, 0.25, 1]]), torch.tensor([[0.0, 1]])
            >>> warp = SeparableWarp(knots_x, knots_y)  # the left quarter fills the left half
            >>> warp.to_zoomed(torch.tensor([[[0.25, 0.25]]]))
            tensor([[[0.5000, 0.2500]]])
        """
        return self._map(points, inverse=True)

    def zoom_grid(self, size: tuple[int, int], align_corners: bool = False) -> Tensor:
        """Sampling grid that zooms a source image of any size to ``size``.

        Args:
            size: (h, w) of the zoomed image.
            align_corners: Convention of the pixels of both images, to be passed on to
                ``grid_sample``.

        Returns:
            Grid for ``F.grid_sample(source, grid, align_corners=align_corners)``, (N, h, w, 2).

        Convention:
            (x, y) in [-1, 1] over the image content, as ``grid_sample`` takes them.

        Example:
            >>> from lzu_mm.warps import saliency_to_warp
            >>> warp = saliency_to_warp(torch.ones(1, 1, 27, 48))  # uniform: plain resizing
            >>> image = torch.rand(1, 3, 90, 160)
            >>> grid = warp.zoom_grid((45, 80))
            >>> zoomed = torch.nn.functional.grid_sample(image, grid, align_corners=False)
            >>> torch.allclose(zoomed, torch.nn.functional.avg_pool2d(image, 2), atol=1e-5)
            True
        """
        return 2 * self._raster(size, align_corners, inverse=False) - 1

    def unzoom_grid(self, size: tuple[int, int], align_corners: bool = False) -> Tensor:
        """Sampling grid that unzooms a zoomed image of any size to ``size``.

        Args:
            size: (h, w) of the unzoomed image.
            align_corners: Convention of the pixels of both images, to be passed on to
                ``grid_sample``.

        Returns:
            Grid for ``F.grid_sample(zoomed, grid, align_corners=align_corners)``, (N, h, w, 2).

        Convention:
            (x, y) in [-1, 1] over the image content, as ``grid_sample`` takes them.

        Example:
            >>> from lzu_mm.warps import saliency_to_warp
            >>> warp = saliency_to_warp(torch.rand(2, 1, 27, 48))
            >>> grid = warp.unzoom_grid((45, 80))
            >>> grid.shape
            torch.Size([2, 45, 80, 2])
            >>> points = (grid.flatten(1, 2) + 1) / 2
            >>> centres = warp.to_source(points).view(2, 45, 80, 2)
            >>> torch.allclose(centres[0, 0, :, 0], (torch.arange(80) + 0.5) / 80, atol=1e-5)
            True
        """
        return 2 * self._raster(size, align_corners, inverse=True) - 1

    def raster(self, x: Tensor, y: Tensor, inverse: bool, inside: bool = False) -> Tensor:
        """Map the raster spanned by x and y positions.

        Args:
            x: Normalised x of the raster's columns, shape (N, w) or (1, w); any range.
            y: Normalised y of the raster's rows, shape (N, h) or (1, h); any range.
            inverse: Map source to zoomed instead of zoomed to source.
            inside: Whether all positions are known to lie in [0, 1].

        Returns:
            Normalised points, shape (N, h, w, 2), equal to the input outside [0, 1].
        """
        batch = max(len(self), len(x), len(y))
        x, y = x.expand(batch, -1).contiguous(), y.expand(batch, -1).contiguous()
        warps = self if len(self) == batch else self.index(torch.zeros_like(x[:, 0]).long())
        if inside:
            return warps.map_axes(x, y, inverse)
        identity = torch.stack(
            (
                x[:, None, :].expand(-1, y.shape[1], -1),
                y[:, :, None].expand(-1, -1, x.shape[1]),
            ),
            dim=-1,
        )
        mapped = warps.map_axes(x.clamp(0, 1), y.clamp(0, 1), inverse)
        return torch.where(_inside(identity), mapped, identity)

    def _raster(self, size: tuple[int, int], align_corners: bool, inverse: bool) -> Tensor:
        h, w = size
        if h < 1 or w < 1:
            raise ValueError(f'the grid size must be (h, w) with both at least 1, got {size}')
        x = pixel_positions(w, self.knots_like, align_corners)
        y = pixel_positions(h, self.knots_like, align_corners)
        return self.raster(x[None], y[None], inverse, inside=True)

    def _map(self, points: Tensor, inverse: bool) -> Tensor:
        if points.dim() != 3 or points.shape[-1] != 2:
            raise ValueError(f'points must have shape (N, P, 2), got {tuple(points.shape)}')
        if points.shape[0] not in (1, len(self)):
            raise ValueError(f'{points.shape[0]} sets of points for a batch of {len(self)} warps')
        points = points.to(self.knots_like).expand(len(self), -1, -1)
        mapped = self.map_points(points.clamp(0, 1), inverse)
        return torch.where(_inside(points), mapped, points)


def _inside(points: Tensor) -> Tensor:
    return ((points >= 0) & (points <= 1)).all(dim=-1, keepdim=True)
