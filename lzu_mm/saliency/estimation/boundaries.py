"""Saliency from label maps: where the classes meet (LZU on Cityscapes, CVPR 2023, section 4.2).

A pixel lies on a boundary if one of its four neighbours carries another class; pixels to be ignored
carry none, and make no boundary. The share of boundary pixels in each cell, averaged over the
training set, is the map.

Convention: sizes are (h, w); cell (i, j) of the map covers an h_S-th by a w_S-th of the image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checks import check_grid_shape

__all__ = ['BoundarySaliency', 'boundary_saliency', 'label_boundaries']


def label_boundaries(labels: Tensor, ignore_index: int = 255) -> Tensor:
    """Marks the pixels next to another class.

    Args:
        labels: (..., h, w), integers.
        ignore_index: the label of pixels without a class.

    Returns:
        (..., h, w) bool.

    Example:
        >>> label_boundaries(torch.tensor([[0, 0, 1, 255, 2]])).int()
        tensor([[0, 1, 1, 0, 0]], dtype=torch.int32)
    """
    boundary = torch.zeros_like(labels, dtype=torch.bool)
    for axis in (-1, -2):
        steps = labels.shape[axis] - 1
        before, after = labels.narrow(axis, 0, steps), labels.narrow(axis, 1, steps)
        differs = (before != after) & (before != ignore_index) & (after != ignore_index)
        boundary.narrow(axis, 0, steps).logical_or_(differs)
        boundary.narrow(axis, 1, steps).logical_or_(differs)
    return boundary


def boundary_saliency(
    labels: Tensor, grid_shape: tuple[int, int] = (45, 45), ignore_index: int = 255
) -> Tensor:
    """Saliency of one label map.

    Args:
        labels: (h, w), integers.
        grid_shape: (h_S, w_S) of the map.
        ignore_index: the label of pixels without a class.

    Returns:
        (h_S, w_S) float32, summing to 1; uniform where no classes meet.

    Raises:
        ValueError: if the labels are no map.

    Convention:
        Cell (i, j) of the map covers an h_S-th by a w_S-th of the image, from the top left.

    Example:
        >>> labels = torch.zeros(4, 8, dtype=torch.long)
        >>> labels[:, 2:] = 1
        >>> boundary_saliency(labels, grid_shape=(2, 4))
        tensor([[0.2500, 0.2500, 0.0000, 0.0000],
                [0.2500, 0.2500, 0.0000, 0.0000]])
    """
    accumulator = BoundarySaliency(grid_shape, ignore_index)
    accumulator.add(labels)
    return accumulator.saliency()


class BoundarySaliency:
    """The boundaries of many label maps, pooled to a grid and averaged (S_D of LZU on Cityscapes).

    Label maps may differ in size: a cell is a share of the image, whatever its size.

    Args:
        grid_shape, ignore_index: as for :func:`boundary_saliency`.
    """

    def __init__(self, grid_shape: tuple[int, int] = (45, 45), ignore_index: int = 255) -> None:
        self.grid_shape = check_grid_shape(grid_shape, 'grid_shape')
        self.ignore_index = ignore_index
        self.count = 0
        self._density: Tensor | None = None

    def add(self, labels: Tensor) -> None:
        """Adds one label map.

        Args:
            labels: (h, w), integers.
        """
        if labels.ndim != 2 or labels.is_floating_point():
            raise ValueError(
                f'labels are (h, w) integers; got {labels.dtype} of {tuple(labels.shape)}'
            )
        boundary = label_boundaries(labels, self.ignore_index)
        density = F.adaptive_avg_pool2d(boundary[None].float(), self.grid_shape)[0].double()
        self._density = density if self._density is None else self._density + density
        self.count += 1

    def saliency(self) -> Tensor:
        """The map of all label maps so far: (h_S, w_S) float32, summing to 1."""
        density, total = self._density, 0.0 if self._density is None else self._density.sum().item()
        if density is None or total == 0:
            return torch.full(self.grid_shape, 1 / (self.grid_shape[0] * self.grid_shape[1]))
        return (density / total).float()
