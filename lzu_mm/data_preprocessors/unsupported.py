"""Models that cannot be zoomed, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from mmengine.config import Config

from ..link import models_under_construction
from ..pipelines import type_name

# By the class of the model, or one that it derives from.
_REASONS = {
    'MultimodalEncoderDecoder': (
        'its decode_head (SAN) reads the pixels of the image again, beside features that no neck '
        'can unzoom'
    ),
    'BoxInst': (
        'its mask_head learns from the colours of neighbouring pixels of the image, which '
        'BoxInstDataPreprocessor compares and a zoom moves apart'
    ),
    'ImVoxelNet': 'its neck_3d looks up features where lidar2img puts voxels in the source image',
    'MultiViewDfM': 'it looks up features where lidar2img puts voxels in the source images',
    'MVXTwoStageDetector': 'it looks up features where lidar2img puts points in the source image',
}


def refuse_unsupported(model: type) -> None:
    """Refuse a model that would silently go wrong.

    Args:
        model: Its class.

    Raises:
        ValueError: If features that were unzoomed are not all that its heads read.
    """
    for kind in model.__mro__:
        if kind.__name__ in _REASONS:
            raise ValueError(
                f'{model.__name__} cannot be zoomed: {_REASONS[kind.__name__]}. Keep the '
                'stock model.data_preprocessor, without UnzoomNeck'
            )


def refuse_nested(labels: str) -> None:
    """Refuse a model under construction whose parts would see different frames.

    Args:
        labels: ``zoom.labels``.

    Raises:
        ValueError: If a teacher is unzoomed and its student is not, or the other way round, or if
            pseudo labels would be taken from the zoomed frame.
    """
    for model, arguments in models_under_construction():
        kinds = {kind.__name__ for kind in type(model).__mro__}
        if 'KnowledgeDistillationSingleStageDetector' in kinds:
            _refuse_other_frame(type(model).__name__, arguments)
        if 'SemiBaseDetector' in kinds and labels == 'warped':
            raise ValueError(
                f"{type(model).__name__} projects the teacher's boxes from view to view, which "
                "zoom.labels='warped' would bend: set zoom.labels='resized' and unzoom the features"
            )


def _refuse_other_frame(model: str, arguments: Mapping[str, Any]) -> None:
    """Refuse distillation (LD, LAD) between features of two frames."""
    if 'teacher_neck' in arguments:
        setting, neck = 'model.teacher_neck', arguments['teacher_neck']
    else:
        config = arguments['teacher_config']
        config = Config.fromfile(config) if isinstance(config, (str, Path)) else config
        setting, neck = "model.teacher_config's model.neck", config['model'].get('neck')
    if _unzooms(neck) != _unzooms(arguments['neck']):
        raise ValueError(
            f'{model} compares features of its teacher, which sees the zoomed images, with its own:'
            f' both have to be unzoomed, or neither. Set {setting}, like model.neck, to dict(type='
            "'lzu_mm.UnzoomNeck', inner='FPN', …); the teacher's own data_preprocessor is not used"
        )


def _unzooms(neck: Any) -> bool:
    return isinstance(neck, Mapping) and type_name(neck) == 'UnzoomNeck'
