"""Non-maximum suppression with as many results as are asked for, as ONNX has it.

``lzu_mm::nms`` exists while a model is traced, and has no kernel: the translation writes it
as NonMaxSuppression, with every class on an axis of its own, and a TopK of what is left.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

import torch
from torch import Tensor

__all__ = ['fixed_nms', 'translations']

_ARGUMENTS = '(Tensor boxes, Tensor scores, float iou_threshold, int count)'


@lru_cache(maxsize=None)
def _operation() -> Any:
    """``lzu_mm::nms``, made when it is first asked for."""
    torch.library.define('lzu_mm::nms', f'{_ARGUMENTS} -> (Tensor, Tensor)')

    @torch.library.register_fake('lzu_mm::nms')
    def shapes(
        boxes: Tensor, scores: Tensor, iou_threshold: float, count: int
    ) -> tuple[Tensor, Tensor]:
        return boxes.new_empty(count, dtype=torch.int64), scores.new_empty(count)

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
    return _operation()(boxes, planes, iou_threshold, count)


def translations() -> dict[Any, Callable[..., Any]]:
    """How operations that ONNX does not know are written, for ``torch.onnx.export``."""
    from onnxscript import opset18 as op

    def translate_nms(boxes: Any, scores: Any, iou_threshold: float, count: int) -> Any:
        limit = op.Constant(value_int=count)
        first = op.Constant(value_ints=[0])
        found = op.NonMaxSuppression(
            op.Unsqueeze(boxes, first),
            op.Unsqueeze(scores, first),
            limit,
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[0.0]),
        )
        # (batch, class, box) of each; rows of score 0 follow, so that there are always enough.
        place = op.Slice(
            found,
            op.Constant(value_ints=[1]),
            op.Constant(value_ints=[3]),
            op.Constant(value_ints=[1]),
        )
        box = op.Gather(found, op.Constant(value_int=2), axis=1)
        score = op.Concat(
            op.GatherND(scores, place), op.Constant(value_floats=[0.0] * count), axis=0
        )
        box = op.Concat(box, op.Constant(value_ints=[0] * count), axis=0)
        best, order = op.TopK(score, op.Constant(value_ints=[count]), axis=0)
        return op.Gather(box, order, axis=0), best

    return {_operation(): translate_nms}
