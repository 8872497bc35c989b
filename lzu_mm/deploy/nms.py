"""Non-maximum suppression with as many results as are asked for, as ONNX has it.

``lzu_mm::nms`` exists while a model is traced, and has no kernel: the translation writes it
as NonMaxSuppression, with every class on an axis of its own, and a TopK of what is left.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor

__all__ = ['class_nms', 'fixed_nms', 'translations']

_ARGUMENTS = '(Tensor boxes, Tensor scores, float iou_threshold, int count)'


@lru_cache(maxsize=None)
def _operation() -> Any:
    """``lzu_mm::nms``, made when it is first asked for."""
    torch.library.define('lzu_mm::nms', f'{_ARGUMENTS} -> (Tensor, Tensor)')

    @torch.library.register_fake('lzu_mm::nms')
    def shapes(
        boxes: Tensor, scores: Tensor, iou_threshold: float, count: int
    ) -> tuple[Tensor, Tensor]:
        return boxes.new_empty((count, 3), dtype=torch.int64), scores.new_empty(count)

    return torch.ops.lzu_mm.nms.default


def fixed_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor | None,
    iou_threshold: float,
    count: int,
    classes: int,
) -> tuple[Tensor, Tensor]:
    """Suppress boxes; only while a model is traced.

    Args:
        boxes: (K, 4) as (x1, y1, x2, y2).
        scores: (K,); boxes of score 0 are left out.
        labels: (K,) in 0 … classes - 1; None if boxes suppress each other whatever their class.
        iou_threshold: Boxes that overlap more with a better one are suppressed.
        count: Number of results N.
        classes: Number of classes.

    Returns:
        Indices of boxes (int64) and their scores, falling, both (N,); the score is 0 where there
        are no more.
    """
    if labels is None:
        planes = scores[None]
    else:
        own = labels[None] == torch.arange(classes)[:, None]
        planes = torch.where(own, scores[None], 0.0)
    places, kept = _operation()(boxes[None], planes[None], iou_threshold, count)
    return places[:, 2], kept


def class_nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Suppress boxes that have a score for each class; only while a model is traced.

    Args:
        boxes: (1, K, 4), or (C, K, 4) where each class has its own.
        scores: (C, K); boxes of score 0 are left out.
        iou_threshold: Boxes that overlap more with a better one of their class are suppressed.
        count: Number of results N.

    Returns:
        Classes and indices of boxes (int64) and their scores, falling, all (N,); the score is 0
        where there are no more.
    """
    shared = len(boxes) == 1
    # Of boxes ONNX knows one list for each image: classes take the place of images.
    planes = scores[None] if shared else scores[:, None]
    places, kept = _operation()(boxes, planes, iou_threshold, count)
    return places[:, 1 if shared else 0], places[:, 2], kept


def translations() -> dict[Any, Callable[..., Any]]:
    """How operations that ONNX does not know are written, for ``torch.onnx.export``."""
    import onnx
    from onnxscript import opset18 as op

    def translate_nms(boxes: Any, scores: Any, iou_threshold: float, count: int) -> Any:
        found = op.NonMaxSuppression(
            boxes,
            scores,
            op.Constant(value_int=count),
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[0.0]),
        )
        # Rows of score 0 follow, so that there are always enough.
        none = np.zeros((count, 3), np.int64)
        places = op.Concat(found, op.Constant(value=onnx.numpy_helper.from_array(none)), axis=0)
        score = op.Concat(
            op.GatherND(scores, found), op.Constant(value_floats=[0.0] * count), axis=0
        )
        best, order = op.TopK(score, op.Constant(value_ints=[count]), axis=0)
        return op.Gather(places, order, axis=0), best

    return {_operation(): translate_nms}
