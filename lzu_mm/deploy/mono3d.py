"""Monocular 3D detectors: stock functions in forms whose results have a fixed shape.

Cameras are inputs of the graph, where stock code takes them through numpy. Boxes are suppressed by
their overlap from above, of which ONNX has no operation: the overlap by clipping the edges of one
box to the other, the suppression by products with the matrix of overlaps.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator

import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from .rewrites import attribute, replaced, static_stack, static_topk

__all__ = ['SMOKE_PEAKS', 'SMOKE_SCORE', 'bev_overlaps', 'static_detector_3d']

# Of all boxes and classes, the best are compared with each other.
_CANDIDATES = 500
# Of boxes that suppress one that suppresses one that ….
_LONGEST_CHAIN = 32
# Written in the stock head.
SMOKE_PEAKS = 100
SMOKE_SCORE = 0.25
# Edges of one box that lie on those of the other count once.
_HAIR = 1e-5


def bev_overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of rotated rectangles with each other.

    The area is the integral of x dy - y dx along the border of the intersection, which consists
    of the parts of each border that lie in the other rectangle.

    Args:
        boxes: (K, 5) as (x, y, w, h, angle); the side w points along (cos, sin) of the angle.

    Returns:
        (K, K).
    """
    turned_x, turned_y = _clipping_frame(boxes)
    inside = _shares_inside(turned_x, turned_y, boxes, 1 + _HAIR)
    others = _shares_inside(turned_x, turned_y, boxes, 1 - _HAIR).transpose(0, 1)
    area = boxes[:, 2] * boxes[:, 3]
    next_x, next_y = turned_x.roll(-1, dims=2), turned_y.roll(-1, dims=2)
    cross = turned_x * next_y - turned_y * next_x
    common = ((inside * cross).sum(dim=2) + others.sum(dim=2) * area / 2) / 2
    return common / (area[:, None] + area - common).clamp_min(1e-6)


def _clipping_frame(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The corners of each box in the frame of each other: x and y, (K, K, 4) each."""
    x, y, w, h, angle = boxes.unbind(dim=1)
    cos, sin = angle.cos(), angle.sin()
    along = boxes.new_tensor([-0.5, 0.5, 0.5, -0.5]) * w[:, None]
    across = boxes.new_tensor([-0.5, -0.5, 0.5, 0.5]) * h[:, None]
    corner_x = x[:, None] + along * cos[:, None] - across * sin[:, None]
    corner_y = y[:, None] + along * sin[:, None] + across * cos[:, None]
    from_x = corner_x[:, None] - x[None, :, None]
    from_y = corner_y[:, None] - y[None, :, None]
    cos, sin = cos[None, :, None], sin[None, :, None]
    return from_x * cos + from_y * sin, from_y * cos - from_x * sin


def _shares_inside(x: Tensor, y: Tensor, boxes: Tensor, grown: float) -> Tensor:
    """The share of each edge of a box that lies in each other box: (K, K, 4)."""
    start, end = torch.zeros_like(x), torch.ones_like(x)
    for position, extent in ((x, boxes[:, 2]), (y, boxes[:, 3])):
        half = (extent * (grown / 2))[None, :, None]
        step = position.roll(-1, dims=2) - position
        step = torch.where(step.abs() < 1e-12, 1e-12, step)
        low, high = (-half - position) / step, (half - position) / step
        start = torch.maximum(start, torch.minimum(low, high))
        end = torch.minimum(end, torch.maximum(low, high))
    return (end - start).clamp_min(0)


def static_nms_3d(
    mlvl_bboxes: Tensor,
    mlvl_bboxes_for_nms: Tensor,
    mlvl_scores: Tensor,
    score_thr: float,
    max_num: int,
    cfg: Any,
    *others: Tensor | None,
) -> tuple[Tensor, ...]:
    """``box3d_multiclass_nms``: always ``max_num`` boxes, of a score of 0 where there are no more.

    ``others`` are directions, attributes and 2D boxes, which go along.
    """
    best, labels, index, _ = static_topk(mlvl_scores[:, :-1], score_thr, _CANDIDATES)
    x1, y1, x2, y2, angle = mlvl_bboxes_for_nms.index_select(0, index).unbind(dim=1)
    angle = angle if cfg.use_rotate_nms else torch.zeros_like(angle)
    planes = torch.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, angle), dim=1)
    rank = torch.arange(len(best))
    conflicts = (bev_overlaps(planes) >= cfg.nms_thr) & (labels[:, None] == labels)
    conflicts = (conflicts & (rank[:, None] < rank)).to(best.dtype)
    found = best > 0
    kept = found.to(best.dtype)
    for _ in range(_LONGEST_CHAIN):
        kept = (found & (kept @ conflicts == 0)).to(best.dtype)
    scores, order = (best * kept).topk(min(max_num, len(best)))
    index = index.index_select(0, order)
    chosen = [None if each is None else each.index_select(0, index) for each in others]
    results = (mlvl_bboxes.index_select(0, index), scores, labels.index_select(0, order))
    return (*results, *(each for each in chosen if each is not None))


def static_img2cam(points: Tensor, cam2img: Tensor) -> Tensor:
    """``points_img2cam`` without a solver: points (K, 3) as x, y, depth; a matrix (4, 4)."""
    pixels = torch.cat((points[:, :2] * points[:, 2:], points[:, 2:]), dim=1)
    return (pixels - cam2img[:3, 3]) @ inverse(cam2img[:3, :3]).T


def static_smoke(
    head: Any,
    cls_scores: list[Tensor],
    bbox_preds: list[Tensor],
    batch_img_metas: Any = None,
    rescale: Any = None,
) -> list[InstanceData]:
    """``SMOKEMono3DHead.predict_by_feat`` of one image, with all its peaks."""
    meta = batch_img_metas[0]
    cameras, affine = (meta[name][None] for name in ('cam2img', 'trans_mat'))
    boxes, scores, labels = head._decode_heatmap(
        cls_scores[0],
        bbox_preds[0],
        batch_img_metas,
        cam2imgs=cameras,
        trans_mats=affine,
        topk=SMOKE_PEAKS,
        kernel=3,
    )
    kind = meta['box_type_3d']
    return [
        InstanceData(
            bboxes_3d=kind(boxes[0], box_dim=head.bbox_code_size, origin=(0.5, 0.5, 0.5)),
            scores_3d=torch.where(scores[0] > SMOKE_SCORE, scores[0], 0.0),
            labels_3d=labels[0],
        )
    ]


def _smoke_location(
    _: Any, points: Tensor, offsets: Tensor, depths: Tensor, cameras: Tensor, affine: Tensor
) -> Tensor:
    """``SMOKECoder._decode_location`` of one image."""
    centres = torch.cat((points + offsets, torch.ones_like(depths)[:, None]), dim=1)
    pixels = centres @ inverse(affine[0]).T
    return static_img2cam(torch.cat((pixels[:, :2], depths[:, None]), dim=1), cameras[0])


def _smoke_orientation(_: Any, direction: Tensor, locations: Tensor) -> Tensor:
    """``SMOKECoder._decode_orientation`` without selections."""
    rays = torch.atan(locations[:, 0] / (locations[:, 2] + 1e-7))
    alphas = torch.atan(direction[:, 0] / (direction[:, 1] + 1e-7))
    yaws = torch.where(direction[:, 1] >= 0, alphas - np.pi / 2, alphas + np.pi / 2) + rays
    yaws = torch.where(yaws > np.pi, yaws - 2 * np.pi, yaws)
    return torch.where(yaws < -np.pi, yaws + 2 * np.pi, yaws)[:, None]


def inverse(matrix: Tensor) -> Tensor:
    """The inverse of a matrix (3, 3) by its cofactors."""
    one, two = matrix.roll(-1, dims=0), matrix.roll(-2, dims=0)
    cofactors = one.roll(-1, dims=1) * two.roll(-2, dims=1)
    cofactors = cofactors - one.roll(-2, dims=1) * two.roll(-1, dims=1)
    return cofactors.T / (matrix[0] * cofactors[0]).sum()


@contextmanager
def static_detector_3d() -> Iterator[None]:
    """Let monocular 3D detectors give results of a fixed shape, of cameras that are inputs."""
    from mmdet3d.models.dense_heads import SMOKEMono3DHead, fcos_mono3d_head, pgd_head
    from mmdet3d.models.layers import box3d_multiclass_nms
    from mmdet3d.models.task_modules import SMOKECoder
    from mmdet3d.structures import points_img2cam
    from mmengine.model import stack_batch

    from ..data_preprocessors import det3d, zoom

    with ExitStack() as stack:
        enter = stack.enter_context
        enter(replaced(stack_batch, static_stack))
        enter(replaced(box3d_multiclass_nms, static_nms_3d))
        enter(replaced(points_img2cam, static_img2cam))
        for head in (fcos_mono3d_head, pgd_head):
            enter(attribute(sys.modules[head.__name__], 'np', _Numpy()))
        enter(attribute(SMOKEMono3DHead, 'predict_by_feat', static_smoke))
        enter(attribute(SMOKECoder, '_decode_location', _smoke_location))
        enter(attribute(SMOKECoder, '_decode_orientation', _smoke_orientation))
        enter(attribute(BaseDataElement, 'set_metainfo', _set_metainfo))
        enter(attribute(Tensor, 'new_tensor', _new_tensor))
        enter(attribute(det3d, 'scale_rows', _scale_rows))
        # Looks at numbers that a trace does not have.
        enter(attribute(zoom, 'refuse_faults', lambda *_: None))
        yield


class _Numpy:
    """numpy, but for tensors, which stay what they are."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def array(values: Any) -> Any:
        return values if isinstance(values, Tensor) else np.array(values)


_stock_new_tensor = Tensor.new_tensor


def _new_tensor(like: Tensor, values: Any, *args: Any, **kwargs: Any) -> Tensor:
    if isinstance(values, Tensor):
        return values.to(like)
    return _stock_new_tensor(like, values, *args, **kwargs)


def _set_metainfo(element: BaseDataElement, metainfo: dict[str, Any]) -> None:
    # The stock one copies, which tensors of a trace do not bear.
    for name, value in metainfo.items():
        element.set_field(value, name, field_type='metainfo')


def _scale_rows(matrix: Any, ratio: tuple[float, float]) -> Any:
    return matrix * matrix.new_tensor([*ratio, *[1.0] * (len(matrix) - 2)])[:, None]
