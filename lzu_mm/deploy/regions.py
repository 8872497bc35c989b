"""Two-stage detectors: proposals, regions and boxes of classes in forms of a fixed shape.

``lzu_mm::roi_align`` exists while a model is traced, and has no kernel: the translation writes it
as a RoiAlign for each level of those regions that belong there.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from typing import Any, Callable, Iterator, Sequence

import torch
from torch import Tensor

from .nms import class_nms
from .rewrites import attribute, check_nms, replaced, static_detector

__all__ = ['check_two_stage', 'static_two_stage', 'translations']

_ARGUMENTS = (
    '(Tensor[] levels, Tensor rois, Tensor level, int[] size, float[] scales, int sampling_ratio, '
    'bool aligned)'
)
# Of each part of a model, the types of which it is known what they do.
_KNOWN = {
    'rpn_head': {'RPNHead'},
    'roi_head': {'StandardRoIHead', 'CascadeRoIHead'},
    'bbox_head': {'BBoxHead', 'ConvFCBBoxHead', 'Shared2FCBBoxHead', 'Shared4Conv1FCBBoxHead'},
    'mask_head': {'FCNMaskHead'},
    'bbox_roi_extractor': {'SingleRoIExtractor'},
    'mask_roi_extractor': {'SingleRoIExtractor'},
    'roi_layers': {'RoIAlign'},
}


@lru_cache(maxsize=None)
def _operation() -> Any:
    """``lzu_mm::roi_align``, made when it is first asked for."""
    torch.library.define('lzu_mm::roi_align', f'{_ARGUMENTS} -> Tensor')

    @torch.library.register_fake('lzu_mm::roi_align')
    def shape(levels: Sequence[Tensor], rois: Tensor, level: Tensor, size: Any, *_: Any) -> Tensor:
        return rois.new_empty((len(rois), levels[0].shape[1], *size))

    return torch.ops.lzu_mm.roi_align.default


def check_two_stage(model: Any) -> None:
    """Refuse detectors with parts of which it is not known what they do.

    Raises:
        ValueError: If there is such a part, or a suppression that ONNX has not.
    """
    from mmdet.models.detectors import TwoStageDetector

    if type(model).predict is not TwoStageDetector.predict:
        raise ValueError(
            f'{type(model).__name__} cannot be exported: it predicts in another way than stock '
            'two-stage detectors'
        )
    for name, part in _parts(model):
        if type(part).__name__ not in _KNOWN[name]:
            raise ValueError(
                f'{type(model).__name__} cannot be exported: its {name} is {type(part).__name__}, '
                f'and only {" and ".join(sorted(_KNOWN[name]))} can'
            )
        if name == 'roi_layers' and part.pool_mode != 'avg':
            raise ValueError(
                f"RoIAlign(pool_mode={part.pool_mode!r}) differs from ONNX's: set pool_mode='avg'"
            )
    check_nms(model.rpn_head.test_cfg.nms, 'test_cfg.rpn.nms')
    check_nms(model.roi_head.test_cfg.nms, 'test_cfg.rcnn.nms')


@contextmanager
def static_two_stage(model: Any, count: int) -> Iterator[None]:
    """Let a two-stage detector, and what comes before it, give results of a fixed shape.

    Args:
        model: Of MMDetection, whose parts :func:`check_two_stage` knows.
        count: Number of detections to give.
    """
    from mmdet.models.layers import multiclass_nms
    from mmdet.models.roi_heads import SingleRoIExtractor

    rpn, stock_predict = model.rpn_head, model.roi_head.predict

    def predict(levels: Any, proposals: Any, *args: Any, **kwargs: Any) -> Any:
        nms = partial(static_multiclass_nms, proposals[0].scores > 0, count)
        with replaced(multiclass_nms, nms):
            return stock_predict(levels, proposals, *args, **kwargs)

    with ExitStack() as stack:
        enter = stack.enter_context
        enter(static_detector(rpn, rpn.test_cfg.max_per_img, len(rpn.prior_generator.strides)))
        enter(attribute(SingleRoIExtractor, 'forward', static_extractor))
        enter(attribute(model.roi_head, 'predict', predict))
        yield


def static_extractor(
    extractor: Any, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None
) -> Tensor:
    """``SingleRoIExtractor.forward`` of rois (K, 5) of one image, however many of each level."""
    side = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).sqrt()
    octave = side / extractor.finest_scale + 1e-6
    level = torch.zeros(len(rois), dtype=torch.int64)
    for index in range(1, len(feats)):
        level = level + (octave >= 2**index)
    if roi_scale_factor is not None:
        rois = extractor.roi_rescale(rois, roi_scale_factor)
    layers = extractor.roi_layers
    return _operation()(
        list(feats),
        rois,
        level,
        list(layers[0].output_size),
        [float(layer.spatial_scale) for layer in layers],
        layers[0].sampling_ratio,
        layers[0].aligned,
    )


def static_multiclass_nms(
    proposed: Tensor,
    count: int,
    multi_bboxes: Tensor,
    multi_scores: Tensor,
    score_thr: float,
    nms_cfg: Any,
    max_num: int = -1,
    box_dim: int = 4,
) -> tuple[Tensor, Tensor]:
    """``multiclass_nms``: always ``count`` boxes.

    ``proposed`` (K,) says which proposals there are.
    """
    limit: float = nms_cfg['iou_threshold']
    boxes = multi_bboxes.unflatten(1, (-1, box_dim)).transpose(0, 1)
    scores = multi_scores[:, :-1]
    scores = torch.where((scores > score_thr) & proposed[:, None], scores, 0.0).transpose(0, 1)
    labels = torch.arange(len(scores))[:, None].expand_as(scores)
    if nms_cfg.get('class_agnostic', False):
        # All of them as one class.
        boxes = boxes.expand(len(scores), -1, -1).flatten(0, 1)[None]
        _, index, kept = class_nms(boxes, scores.reshape(1, -1), limit, count)
        found = labels.flatten().index_select(0, index)
    else:
        found, index, kept = class_nms(boxes, scores, limit, count)
        if len(boxes) > 1:
            index = index + found * boxes.shape[1]
    chosen = boxes.reshape(-1, box_dim).index_select(0, index)
    return torch.cat((chosen, kept[:, None]), dim=1), found


def _parts(model: Any) -> Iterator[tuple[str, Any]]:
    """Parts of a two-stage detector by name, those of all stages."""
    yield 'rpn_head', getattr(model, 'rpn_head', None)
    yield 'roi_head', model.roi_head
    for name in ('bbox_head', 'mask_head', 'bbox_roi_extractor', 'mask_roi_extractor'):
        stages = getattr(model.roi_head, name, None)
        for part in stages if isinstance(stages, torch.nn.ModuleList) else [stages]:
            if part is not None:
                yield name, part
            for layer in getattr(part, 'roi_layers', ()):
                yield 'roi_layers', layer


def translations() -> dict[Any, Callable[..., Any]]:
    """How operations that ONNX does not know are written, for ``torch.onnx.export``."""
    from onnxscript import opset18 as op

    def translate(
        levels: Any,
        rois: Any,
        level: Any,
        size: Any,
        scales: Any,
        sampling_ratio: int,
        aligned: bool,
    ) -> Any:
        first = op.Constant(value_ints=[0])
        boxes = op.Slice(
            rois,
            op.Constant(value_ints=[1]),
            op.Constant(value_ints=[5]),
            op.Constant(value_ints=[1]),
        )
        places, parts = [], []
        for index, (feature, scale) in enumerate(zip(levels, scales)):
            own = op.Squeeze(op.NonZero(op.Equal(level, op.Constant(value_int=index))), first)
            places.append(own)
            parts.append(
                op.RoiAlign(
                    feature,
                    op.Gather(boxes, own, axis=0),
                    op.Sub(own, own),  # which image of one
                    output_height=size[0],
                    output_width=size[1],
                    sampling_ratio=sampling_ratio,
                    spatial_scale=scale,
                    coordinate_transformation_mode='half_pixel' if aligned else 'output_half_pixel',
                )
            )
        # Where each region has gone.
        count = op.Constant(value_ints=[rois.shape[0]])
        _, back = op.TopK(op.Concat(*places, axis=0), count, axis=0, largest=0)
        return op.Gather(op.Concat(*parts, axis=0), back, axis=0)

    return {_operation(): translate}
