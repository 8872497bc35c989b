"""Masks of instances: as a head gives them in a graph, and laid into an image outside.

Convention: masks of a graph are (N, h, w) of probabilities, and cover the box of their instance.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Iterator, Mapping

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from .rewrites import attribute

__all__ = ['lay_masks', 'static_masks']


@contextmanager
def static_masks() -> Iterator[None]:
    """Let mask heads give what lies in each box."""
    from mmdet.models.roi_heads.mask_heads import FCNMaskHead

    with attribute(FCNMaskHead, '_predict_by_feat_single', _in_boxes):
        yield


def _in_boxes(
    head: Any,
    mask_preds: Tensor,
    bboxes: Tensor,
    labels: Tensor,
    img_meta: Mapping[str, Any],
    rcnn_test_cfg: Any,
    rescale: bool = False,
    activate_map: bool = False,
) -> Tensor:
    """``FCNMaskHead._predict_by_feat_single``, which takes boxes to the original as well."""
    if rescale:
        bboxes /= bboxes.new_tensor(img_meta['scale_factor']).repeat(2)
    masks = mask_preds if activate_map else mask_preds.sigmoid()
    if head.class_agnostic:
        return masks[:, 0]
    count, classes = masks.shape[:2]
    return masks.flatten(0, 1).index_select(0, torch.arange(count) * classes + labels)


def lay_masks(
    masks: np.ndarray, instances: InstanceData, metainfo: Mapping[str, Any], threshold: float
) -> InstanceData:
    """Lay masks into the original image, as MMDetection does.

    Args:
        masks: (N, h, w), probabilities in each box.
        instances: With ``bboxes`` on the image, and ``labels``, N of them.
        metainfo: Of the sample.
        threshold: ``mask_thr_binary`` of the model.

    Returns:
        Instances with ``masks`` (N, H, W), and ``bboxes`` on the original.
    """
    return _head().predict_by_feat(
        (masks[:, None],),
        [instances],
        [metainfo],
        ConfigDict(mask_thr_binary=threshold),
        rescale=True,
        activate_map=True,
    )[0]


@lru_cache(maxsize=None)
def _head() -> Any:
    """A head to lay masks, with nothing to predict them."""
    from mmdet.models.roi_heads.mask_heads import FCNMaskHead

    return FCNMaskHead(num_convs=0, num_classes=1, class_agnostic=True)
