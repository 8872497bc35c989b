"""Saliency from boxes: the kernel density estimate of FOVEA (Thavamani et al., ICCV 2021).

A box with centre c and size (w, h), in pixels, adds at a cell centre g

    K(g) = exp(-1/2 [(g_x - c_x)^2 / (b w) + (g_y - c_y)^2 / (b h)])
    S(g) = A K(g) / (1e-5 + sum_g K(g)) + 1 / (2p + 1)^2,    p = min(h_S, w_S) - 1,

and the sum over the boxes is normalised to 1. Bandwidth b (px) and amplitude A weigh how far the
mass of a box spreads and how much it weighs against the uniform floor.

Convention: boxes are (x1, y1, x2, y2) in pixels, pixel i covering [i, i + 1]. Cell (i, j) of
the map covers an h_S-th by a w_S-th of the image; its centre is ((j + 1/2) W / w_S,
(i + 1/2) H / h_S). K factors over the axes, so that K boxes cost (h_S + w_S) K exponentials.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...checks import check_grid_shape
from ...warps.compat import is_compiling

__all__ = ['BoxSaliency', 'box_saliency']

_EPS = 1e-5
_MIN_SIZE = 1.0  # px; a box without extent still is one pixel


def box_saliency(
    boxes: Tensor,
    image_size: tuple[float, float],
    grid_shape: tuple[int, int] = (31, 51),
    bandwidth: float | Tensor = 64.0,
    amplitude: float | Tensor = 1.0,
) -> Tensor:
    """Saliency of a set of boxes, after FOVEA (the formula heads this module).

    Differentiable with respect to the boxes, the bandwidth and the amplitude.

    Args:
        boxes: (K, 4) as (x1, y1, x2, y2), pixels. A side below one pixel counts as one
            pixel. Boxes that are not finite, or lie wholly outside the image, are left out; those
            that reach beyond its border are taken as they are.
        image_size: (h, w) of the image that they lie in, pixels; not necessarily whole.
        grid_shape: (h_S, w_S) of the map.
        bandwidth: b, pixels, positive.
        amplitude: A, non-negative; one for all boxes or one each, (K,).

    Returns:
        (h_S, w_S), at least float32, summing to 1; uniform without boxes.

    Raises:
        ValueError: if an argument is outside its range.

    Convention:
        Boxes in pixels of the source image, pixel i covering [i, i + 1]; cell (i, j) of the map has
        its centre at x = (j + 0.5)/w_S of the width, y = (i + 0.5)/h_S of the height.

    Example:
        >>> boxes = torch.tensor([[900.0, 500, 1020, 580]])
        >>> saliency = box_saliency(boxes, image_size=(1080, 1920), grid_shape=(27, 48))
        >>> divmod(int(saliency.argmax()), 48)  # row and column of the box's centre
        (13, 23)
    """
    density, count = _density(boxes, image_size, grid_shape, bandwidth, amplitude)
    return _normalize(density, count)


class BoxSaliency:
    """One KDE over the boxes of many images, added up image by image (S_D of FOVEA and LZU).

    Images may differ in size: a cell is a share of the image, whatever its size.

    Args:
        grid_shape, bandwidth, amplitude: as for :func:`box_saliency`.
    """

    def __init__(
        self,
        grid_shape: tuple[int, int] = (31, 51),
        bandwidth: float = 64.0,
        amplitude: float = 1.0,
    ) -> None:
        self.grid_shape = grid_shape
        self.bandwidth = bandwidth
        self.amplitude = amplitude
        self.count = 0
        self._density: Tensor | None = None

    def add(self, boxes: Tensor, image_size: tuple[float, float]) -> None:
        """Adds the boxes of one image.

        Args:
            boxes: (K, 4), pixels, as for :func:`box_saliency`.
            image_size: (h, w) of that image, pixels.
        """
        density, count = _density(
            boxes.double(), image_size, self.grid_shape, self.bandwidth, self.amplitude
        )
        self._density = density if self._density is None else self._density + density
        self.count += int(count)

    def saliency(self) -> Tensor:
        """The map of all boxes so far: (h_S, w_S) float32, summing to 1; uniform without any."""
        if self._density is None:
            self._density = torch.zeros(self.grid_shape, dtype=torch.float64)
        return _normalize(self._density, torch.tensor(self.count)).float()


def _density(
    boxes: Tensor,
    image_size: tuple[float, float],
    grid_shape: tuple[int, int],
    bandwidth: float | Tensor,
    amplitude: float | Tensor,
) -> tuple[Tensor, Tensor]:
    """Sum of A K / (1e-5 + sum K) over the boxes, (h_S, w_S), and how many of them count."""
    _check(boxes, image_size, grid_shape, bandwidth, amplitude)
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    height, width = image_size
    inside = (boxes[:, :2] < boxes.new_tensor([width, height])).all(1) & (boxes[:, 2:] > 0).all(1)
    kept = inside & boxes.isfinite().all(1)
    # By a weight of zero: a selection would have no fixed shape, as exporting needs.
    boxes = torch.where(kept[:, None], boxes, 0.0)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    sizes = (boxes[:, 2:] - boxes[:, :2]).clamp(min=_MIN_SIZE)
    rows, columns = (
        torch.exp(-0.5 * (_cell_centers(n, extent, boxes) - centers[:, axis, None]) ** 2
                  / (bandwidth * sizes[:, axis, None]))
        for n, extent, axis in ((grid_shape[0], height, 1), (grid_shape[1], width, 0))
    )  # fmt: skip
    weights = kept.to(boxes) * amplitude / (_EPS + rows.sum(1) * columns.sum(1))
    density = (rows * weights[:, None]).T @ columns
    return density, kept.to(boxes).sum()


def _cell_centers(cells: int, extent: float, like: Tensor) -> Tensor:
    return (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) * (extent / cells)


def _normalize(density: Tensor, count: Tensor) -> Tensor:
    """Adds the uniform floor of ``count`` boxes and normalises; no boxes leave the floor of one."""
    padding = min(density.shape) - 1
    density = density + count.clamp(min=1) / (2 * padding + 1) ** 2
    return density / density.sum()


def _check(
    boxes: Tensor,
    image_size: tuple[float, float],
    grid_shape: tuple[int, int],
    bandwidth: float | Tensor,
    amplitude: float | Tensor,
) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes are (K, 4) as (x1, y1, x2, y2); got {tuple(boxes.shape)}')
    if min(image_size) <= 0:
        raise ValueError(f'image_size is (h, w) in pixels, both positive; got {image_size}')
    check_grid_shape(grid_shape, 'grid_shape')
    if is_compiling():
        return
    # NaN fails every comparison.
    if not bandwidth > 0:
        raise ValueError(f'bandwidth is a positive number of pixels; got {float(bandwidth)}')
    if not (torch.as_tensor(amplitude) >= 0).all():
        raise ValueError(f'amplitude is not negative; got {amplitude}')
