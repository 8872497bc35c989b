"""Stock functions whose results have no fixed shape, in a form that has; replaced for a while.

What a stock function leaves out, its static form keeps with a score of 0.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import stack_batch
from mmengine.structures import InstanceData
from torch import Tensor

from .nms import fixed_nms

__all__ = ['attribute', 'replaced', 'static_detector']

_LIBRARIES = ('mmengine.', 'mmcv.', 'mmdet.', 'mmseg.', 'mmdet3d.')
_ABSENT = object()


@contextmanager
def attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of an object or a class, and put back what was there."""
    before = vars(owner).get(name, _ABSENT)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def replaced(stock: Callable, own: Callable) -> Iterator[None]:
    """Replace a function of the MM libraries in all their modules, which import it by name."""
    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            if getattr(module, '__name__', '').startswith(_LIBRARIES):
                for name in [name for name, value in vars(module).items() if value is stock]:
                    stack.enter_context(attribute(module, name, own))
        yield


def static_stack(
    tensor_list: Sequence[Tensor], pad_size_divisor: int = 1, pad_value: float = 0
) -> Tensor:
    """``mmengine.model.stack_batch`` by sizes that are no tensors."""
    h, w = (max(image.shape[axis] for image in tensor_list) for axis in (-2, -1))
    h, w = (-(-n // pad_size_divisor) * pad_size_divisor for n in (h, w))
    return torch.stack(
        [
            F.pad(image, (0, w - image.shape[-1], 0, h - image.shape[-2]), value=pad_value)
            for image in tensor_list
        ]
    )


def static_topk(scores: Tensor, score_thr: float, topk: int, results: Any = None) -> Any:
    """``mmdet.models.utils.filter_scores_and_topk``: always ``topk`` of them."""
    classes = scores.shape[1]
    flat = torch.where(scores > score_thr, scores, 0.0).flatten()
    best, index = flat.topk(min(topk, len(flat)))
    # Of what is never negative; other divisions of integers take ONNX several operations.
    prior = torch.div(index, classes, rounding_mode='trunc')
    labels = index - prior * classes
    if isinstance(results, Mapping):
        results = {name: value.index_select(0, prior) for name, value in results.items()}
    elif isinstance(results, list):
        results = [value.index_select(0, prior) for value in results]
    elif results is not None:
        results = results.index_select(0, prior)
    return best, labels, prior, results


def static_yolox(
    head: Any,
    cls_scores: Sequence[Tensor],
    bbox_preds: Sequence[Tensor],
    objectnesses: Sequence[Tensor],
    batch_img_metas: Sequence[Mapping[str, Any]],
    cfg: Any = None,
    rescale: bool = False,
    with_nms: bool = True,
) -> list[InstanceData]:
    """``YOLOXHead.predict_by_feat`` of one image, with all its priors."""
    cfg = cfg or head.test_cfg
    sizes = [score.shape[2:] for score in cls_scores]
    priors = head.prior_generator.grid_priors(
        sizes, dtype=cls_scores[0].dtype, device=cls_scores[0].device, with_stride=True
    )

    def flat(levels: Sequence[Tensor]) -> Tensor:
        return torch.cat([level[0].flatten(1) for level in levels], dim=1).transpose(0, 1)

    best, labels = flat(cls_scores).sigmoid().max(dim=1)
    scores = best * flat(objectnesses).sigmoid()[:, 0]
    results = InstanceData(
        bboxes=head._bbox_decode(torch.cat(priors), flat(bbox_preds)),
        scores=torch.where(scores >= cfg.score_thr, scores, 0.0),
        labels=labels,
    )
    return [
        head._bbox_post_process(
            results=results,
            cfg=cfg,
            rescale=rescale,
            with_nms=with_nms,
            img_meta=batch_img_metas[0],
        )
    ]


@contextmanager
def static_detector(head: Any, count: int, groups: int) -> Iterator[None]:
    """Let a dense head, and what comes before it, give results of a fixed shape.

    Args:
        head: The ``bbox_head`` of a single-stage detector, or an ``rpn_head``.
        count: Number of detections to give.
        groups: Number of classes, or of others whose boxes do not suppress each other.

    Raises:
        ValueError: If the head suppresses boxes in a way that ONNX has not.
    """
    from mmcv.ops import batched_nms
    from mmdet.models.dense_heads import YOLOXHead
    from mmdet.models.utils import filter_scores_and_topk

    cfg = head.test_cfg
    check_nms(cfg.get('nms'))
    smallest = cfg.get('min_bbox_size', -1)

    def static_nms(
        boxes: Tensor, scores: Tensor, idxs: Tensor, nms_cfg: Any, class_agnostic: bool = False
    ) -> tuple[Tensor, Tensor]:
        if smallest >= 0:
            w, h = (boxes[:, 2:] - boxes[:, :2]).unbind(dim=1)
            scores = torch.where((w > smallest) & (h > smallest), scores, 0.0)
        mixed = nms_cfg.get('class_agnostic', class_agnostic)
        labels = None if mixed else idxs
        index, kept = fixed_nms(boxes, scores, labels, nms_cfg['iou_threshold'], count, groups)
        return torch.cat((boxes.index_select(0, index), kept[:, None]), dim=1), index

    with ExitStack() as stack:
        enter = stack.enter_context
        enter(replaced(stack_batch, static_stack))
        enter(replaced(filter_scores_and_topk, static_topk))
        enter(replaced(batched_nms, static_nms))
        enter(attribute(YOLOXHead, 'predict_by_feat', static_yolox))
        # Stock heads look whether any box is too small; static_nms gives these a score of 0.
        enter(attribute(head, 'test_cfg', type(cfg)(cfg, min_bbox_size=-1)))
        yield


def check_nms(nms: Any, setting: str = 'test_cfg.nms') -> None:
    """Refuse what ONNX's NonMaxSuppression does not do.

    Args:
        nms: ``test_cfg.nms`` of a head; None for heads that need none.
        setting: Its name.

    Raises:
        ValueError: If it is another kind, or has settings that are not known here.
    """
    if nms is None:
        return
    known = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}
    kind = nms.get('type', 'nms')
    if kind != 'nms' or set(nms) - known:
        raise ValueError(
            f"{setting}={dict(nms)} has no counterpart in ONNX: only type='nms' with "
            f'iou_threshold and class_agnostic has. Set model.{setting} to '
            "dict(type='nms', iou_threshold=…)"
        )
