"""Scale the labels and metainfo of samples, as a uniform resize of the image does.

Nothing is changed in place but the sample itself, which is the caller's own copy.
"""

from __future__ import annotations

from typing import Any, Tuple

import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from ..frames import scale_factor
from .pixels import follow_zoom

Size = Tuple[int, int]


def scale_metainfo(sample: BaseDataElement, source: Size, size: Size) -> None:
    """Scale all pixel values of the metainfo; ``scale_factor`` (w, h) brings boxes back.

    Args:
        sample: Changed in place.
        source: (h, w) before.
        size: (h, w) after.
    """
    ratio_w, ratio_h = ratios(source, size)
    scale_w, scale_h = scale_factor(sample.metainfo)
    followed = follow_zoom(sample.metainfo, (ratio_w, ratio_h))
    factor = (scale_w * ratio_w, scale_h * ratio_h)
    sample.set_metainfo({**followed, 'img_shape': size, 'scale_factor': factor})


def scale_instances(instances: BaseDataElement, source: Size, size: Size) -> None:
    """Scale boxes, masks and projected centres of instances.

    Args:
        instances: ``InstanceData``, changed in place.
        source: (h, w) before.
        size: (h, w) after.
    """
    ratio = ratios(source, size)
    if 'bboxes' in instances:
        instances.bboxes = _scale_boxes(instances.bboxes, ratio)
    if 'masks' in instances:
        instances.masks = instances.masks.resize(size)
    if 'centers_2d' in instances:
        instances.centers_2d = instances.centers_2d * instances.centers_2d.new_tensor(ratio)


def scale_pixels(pixels: PixelData, size: Size) -> PixelData:
    """Resize per-pixel labels by nearest neighbour.

    Args:
        pixels: Fields of shape (H, W) or (C, H, W).
        size: (h, w) after.

    Returns:
        New pixel data with the same fields, types and metainfo.
    """
    fields = {name: _resize_nearest(value, size) for name, value in pixels.items()}
    return PixelData(metainfo=dict(pixels.metainfo_items()), **fields)


def ratios(source: Size, size: Size) -> tuple[float, float]:
    """Ratios (w, h) of two sizes (h, w)."""
    return size[1] / source[1], size[0] / source[0]


def _scale_boxes(boxes: Any, ratio: tuple[float, float]) -> Any:
    if isinstance(boxes, Tensor):
        return boxes * boxes.new_tensor(ratio * (boxes.shape[-1] // 2))
    scaled = boxes.clone()
    scaled.rescale_(ratio)
    return scaled


def _resize_nearest(values: Tensor, size: Size) -> Tensor:
    planes = values if values.dim() == 3 else values[None]
    # Through float64, which holds every label id exactly; interpolate takes no integers.
    resized = F.interpolate(planes[None].double(), size=size, mode='nearest-exact')[0]
    return resized.to(values.dtype).reshape(*values.shape[:-2], *size)
