"""Ground truth of any MM dataset as annotated, on the original image before the pipeline.

Convention: boxes are (x1, y1, x2, y2) in pixels of the original image, sizes (h, w).
"""

from __future__ import annotations

import copy
import io
from typing import Any, Iterator

import numpy as np
import torch
from mmengine.fileio import get
from PIL import ExifTags, Image
from torch import Tensor

__all__ = ['base_datasets', 'boxes_of', 'has_boxes', 'image_path_of', 'image_size_of', 'labels_of']

# Values of EXIF's orientation that exchange width and height.
_TURNED = (5, 6, 7, 8)


def base_datasets(dataset: Any) -> Iterator[Any]:
    """Look through wrappers that repeat, concatenate, balance or mix.

    Args:
        dataset: A dataset of any MM library, wrapped or not.

    Yields:
        The datasets inside, each of them once, however often its images are repeated.
    """
    if hasattr(dataset, 'datasets'):
        for inner in dataset.datasets:
            yield from base_datasets(inner)
    elif hasattr(dataset, 'dataset'):
        yield from base_datasets(dataset.dataset)
    else:
        yield dataset


def has_boxes(info: dict[str, Any]) -> bool:
    """Whether the data info of an image annotates boxes (possibly none), 2D or 3D."""
    return 'instances' in info or _annotations_3d(info) is not None


def boxes_of(info: dict[str, Any]) -> Tensor:
    """Boxes of one image.

    Args:
        info: From ``dataset.get_data_info(index)``, of MMDetection or monocular MMDetection3D.

    Returns:
        (K, 4) float32; regions to be ignored are left out.
    """
    annotations = _annotations_3d(info)
    if annotations is not None:
        boxes = annotations['gt_bboxes']
    else:
        kept = (item for item in info['instances'] if not item.get('ignore_flag', 0))
        boxes = [item['bbox'] for item in kept if 'bbox' in item]
    return torch.as_tensor(np.asarray(boxes, dtype=np.float32).reshape(-1, 4))


def labels_of(dataset: Any, info: dict[str, Any]) -> Tensor:
    """Label map of one image, read as the dataset's own pipeline reads it.

    Args:
        dataset: The dataset that gave ``info``; its pipeline loads ``gt_seg_map``.
        info: From ``dataset.get_data_info(index)``, of MMSegmentation.

    Returns:
        (h, w) int64.

    Raises:
        ValueError: If the pipeline loads no label map.
    """
    results = copy.deepcopy(info)
    for transform in dataset.pipeline.transforms:
        if 'Annotations' in type(transform).__name__:
            results = transform(results)
    if 'gt_seg_map' not in results:
        raise ValueError(
            f'{type(dataset).__name__} gives neither boxes nor label maps: its pipeline needs '
            "dict(type='LoadAnnotations')"
        )
    return torch.from_numpy(np.ascontiguousarray(results['gt_seg_map'])).long()


def image_path_of(info: dict[str, Any]) -> str:
    """Path of the image.

    Raises:
        ValueError: If the data info names several images, as multi-view datasets do.
    """
    return _image_of(info)['img_path']


def image_size_of(
    info: dict[str, Any], backend_args: dict[str, Any] | None = None
) -> tuple[int, int]:
    """Size of the image, from the annotations or else from the header of its file.

    Args:
        info: From ``dataset.get_data_info(index)``.
        backend_args: As for ``mmengine.fileio.get``.

    Returns:
        (h, w) in pixels.
    """
    known = _image_of(info)
    if 'height' in known and 'width' in known:
        return int(known['height']), int(known['width'])
    path = known['img_path']
    source = path if backend_args is None else io.BytesIO(get(path, backend_args=backend_args))
    with Image.open(source) as image:
        # Loaders of the MM libraries turn images as EXIF says.
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
        return (image.width, image.height) if turned else (image.height, image.width)


def _image_of(info: dict[str, Any]) -> dict[str, Any]:
    """The entry that describes the image; KITTI's infos name several cameras, one with an image."""
    if 'images' not in info:
        return info
    entries = info['images'].values()
    found = [entry for entry in entries if isinstance(entry, dict) and entry.get('img_path')]
    if len(found) != 1:
        raise ValueError(
            f'this dataset gives {len(found)} images per sample; set its load_type to '
            "'mv_image_based' to have one"
        )
    return found[0]


def _annotations_3d(info: dict[str, Any]) -> dict[str, Any] | None:
    annotations = info.get('ann_info', info.get('eval_ann_info'))
    return annotations if annotations is not None and 'gt_bboxes' in annotations else None
