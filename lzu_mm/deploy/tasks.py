"""Which models are deployed, and how."""

from __future__ import annotations

from typing import Any

from .deployed import Deployed
from .detectors import DenseDetector, MaskDetector, QueryDetector, TwoStageDetector
from .segmentors import Segmentor

__all__ = ['task_of']


def task_of(model: Any, size: tuple[int, int], original: tuple[int, int] | None = None) -> Deployed:
    """How a model is deployed.

    Args:
        model: Of an MM library.
        size: (h, w) of the image.
        original: See :class:`Deployed`.

    Raises:
        ValueError: If it cannot be exported.
    """
    from .detectors_3d import MonoDetector3D, Smoke

    kinds = [kind.__name__ for kind in type(model).__mro__]
    name = kinds[0]
    if 'SMOKEMono3D' in kinds:
        return Smoke(model, size, original)
    if 'FCOSMono3D' in kinds:
        return MonoDetector3D(model, size, original)
    is_3d = any('3D' in kind for kind in kinds)
    if 'SingleStageDetector' in kinds and hasattr(model, 'bbox_head') and not is_3d:
        return DenseDetector(model, size, original)
    if 'TwoStageDetector' in kinds:
        kind = MaskDetector if model.with_mask else TwoStageDetector
        return kind(model, size, original)
    if 'DetectionTransformer' in kinds:
        return QueryDetector(model, size, original)
    if 'EncoderDecoder' in kinds and 'DepthEstimator' not in kinds:
        if model.test_cfg.get('mode') == 'slide':
            raise ValueError(
                'slide inference cuts an image into as many crops as it holds: set model.test_cfg '
                "to dict(mode='whole') to export"
            )
        return Segmentor(model, size, original)
    raise ValueError(
        f'{name} cannot be exported: only single-stage and two-stage detectors and DETR of '
        'MMDetection, segmentors of MMSegmentation, FCOS3D, PGD and SMOKE can'
    )
