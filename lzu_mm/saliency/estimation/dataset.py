"""The fixed saliency S_D of a whole dataset, from its ground truth (FOVEA, LZU).

One kernel density estimate over all boxes, or the mean of all label boundaries; every image counts
once, however often wrappers repeat it. Images are not read, only their annotations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Iterable, Sequence

import torch
from torch import Tensor

from ...datasets.ground_truth import base_datasets, boxes_of, has_boxes, image_size_of, labels_of
from .boundaries import BoundarySaliency
from .centres import CentreSaliency
from .kde import BoxSaliency

__all__ = [
    'METHODS',
    'DatasetSaliency',
    'NoLabelsError',
    'dataset_saliency',
    'default_grid_shape',
    'saliency_method',
]

METHODS = ('boxes', 'centres', 'boundaries')


class NoLabelsError(ValueError):
    """No label of a dataset can be used."""


@dataclass(frozen=True)
class DatasetSaliency:
    """The saliency of a dataset, and what it was made from.

    Attributes:
        map: (h_S, w_S) float32, summing to 1.
        count: Number of boxes or label maps in it.
        boxes: The boxes in shares of their image, (K, 4) as (x1, y1, x2, y2); none for label maps.
        notes: What was chosen on the way.
    """

    map: Tensor
    count: int
    boxes: Tensor
    notes: dict[str, Any]


def saliency_method(dataset: Any) -> str:
    """How to make the saliency of a dataset.

    Args:
        dataset: A dataset of any MM library, wrapped or not.

    Returns:
        ``'boxes'`` where it annotates boxes, 2D or 3D; else ``'boundaries'``.

    Raises:
        ValueError: If it is empty.
    """
    for inner in base_datasets(dataset):
        if len(inner):
            return 'boxes' if has_boxes(inner.get_data_info(0)) else 'boundaries'
    raise ValueError('the dataset is empty: check its data_root, ann_file and data_prefix')


def default_grid_shape(dataset: Any, method: str) -> tuple[int, int]:
    """The grid met in the literature: FOVEA's for 2D boxes, LZU's for 3D boxes and boundaries.

    Args:
        dataset: A dataset of any MM library, wrapped or not; not empty.
        method: ``'boxes'`` or ``'boundaries'``.

    Returns:
        (h_S, w_S).
    """
    if method == 'boundaries':
        return 45, 45
    in_3d = 'images' in next(base_datasets(dataset)).get_data_info(0)
    return (27, 48) if in_3d else (31, 51)


def dataset_saliency(
    dataset: Any,
    method: str,
    grid_shape: tuple[int, int],
    bandwidth: float = 64.0,
    amplitude: float = 1.0,
    sigma: tuple[float, float] | None = None,
    uniform_share: float = 0.1,
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> DatasetSaliency:
    """Saliency of a dataset.

    Args:
        dataset: A dataset of any MM library, wrapped or not.
        method: ``'boxes'``, ``'centres'`` or ``'boundaries'``; see :func:`saliency_method`.
        grid_shape: (h_S, w_S) of the map.
        bandwidth: Of the kernels of ``'boxes'``, pixels of the original image.
        amplitude: Of the kernels of ``'boxes'``, against the uniform floor.
        sigma: Blur of ``'centres'`` in cells, (along y, along x); chosen by default.
        uniform_share: Of the warp for which the blur is chosen.
        track: Wraps the list of work, to show progress.

    Returns:
        The map and what it was made from.

    Raises:
        NoLabelsError: If no label can be used.
    """
    work = [(inner, index) for inner in base_datasets(dataset) for index in range(len(inner))]
    if method == 'boundaries':
        boundaries = _add_labels(BoundarySaliency(grid_shape), track(work))
        return _result(boundaries, 'label maps', torch.zeros(0, 4), {})
    if method == 'boxes':
        kernels = BoxSaliency(grid_shape, bandwidth, amplitude)
        boxes = _add_boxes(kernels, track(work))
        return _result(kernels, 'boxes', boxes, {})
    centres = CentreSaliency(grid_shape, sigma, uniform_share)
    boxes = _add_boxes(centres, track(work))
    found = _result(centres, 'boxes', boxes, {})
    return replace(found, notes={'sigma': list(centres.sigma or ())})


def _add_boxes(into: BoxSaliency | CentreSaliency, work: Iterable[Any]) -> Tensor:
    """Add the boxes of a dataset; returns those of positive size, in shares of their images."""
    seen = [torch.zeros(0, 4)]
    for inner, index in work:
        info = inner.get_data_info(index)
        size = image_size_of(info, getattr(inner, 'backend_args', None))
        boxes = boxes_of(info)
        into.add(boxes, size)
        seen.append((boxes / boxes.new_tensor([size[1], size[0]]).repeat(2)).clamp(0, 1))
    shares = torch.cat(seen)
    return shares[(shares[:, 2:] > shares[:, :2]).all(dim=1)]


def _add_labels(into: BoundarySaliency, work: Iterable[Any]) -> BoundarySaliency:
    for inner, index in work:
        into.ignore_index = getattr(inner, 'ignore_index', 255)
        into.add(labels_of(inner, inner.get_data_info(index)))
    return into


def _result(made: Any, what: str, boxes: Tensor, notes: dict[str, Any]) -> DatasetSaliency:
    if made.count == 0:
        raise NoLabelsError(f'there are no {what} to use')
    return DatasetSaliency(made.saliency(), made.count, boxes, notes)
