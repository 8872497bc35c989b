"""The fixed saliency S_D of a whole dataset, from its ground truth (FOVEA, LZU).

One kernel density estimate over all boxes, or the mean of all label boundaries; every image counts
once, however often wrappers repeat it. Images are not read, only their annotations.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Sequence

from torch import Tensor

from ...datasets.ground_truth import base_datasets, boxes_of, has_boxes, image_size_of, labels_of
from .boundaries import BoundarySaliency
from .kde import BoxSaliency

__all__ = ['METHODS', 'dataset_saliency', 'default_grid_shape', 'saliency_method']

METHODS = ('boxes', 'boundaries')


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
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> tuple[Tensor, int]:
    """Saliency of a dataset.

    Args:
        dataset: A dataset of any MM library, wrapped or not.
        method: ``'boxes'`` or ``'boundaries'``; see :func:`saliency_method`.
        grid_shape: (h_S, w_S) of the map.
        bandwidth: Of the boxes' kernels, pixels of the original image.
        amplitude: Of the boxes' kernels, against the uniform floor.
        track: Wraps the list of work, to show progress.

    Returns:
        The map, (h_S, w_S) float32 summing to 1, and the number of boxes or label maps in it.

    Raises:
        ValueError: If there is nothing to learn from.
    """
    work = [(inner, index) for inner in base_datasets(dataset) for index in range(len(inner))]
    boxes = BoxSaliency(grid_shape, bandwidth, amplitude)
    boundaries = BoundarySaliency(grid_shape)
    for inner, index in track(work):
        info = inner.get_data_info(index)
        if method == 'boundaries':
            boundaries.ignore_index = getattr(inner, 'ignore_index', 255)
            boundaries.add(labels_of(inner, info))
        else:
            size = image_size_of(info, getattr(inner, 'backend_args', None))
            boxes.add(boxes_of(info), size)
    result = boundaries if method == 'boundaries' else boxes
    if result.count == 0:
        raise ValueError(f'there are no {"boxes" if method == "boxes" else "label maps"} to use')
    return result.saliency(), result.count
