"""Stock configs at a size that two CPU cores can afford, and the images that belong to them.

Sizes in the pipelines shrink alike. The image is twice as large as what the test pipeline makes of
it, and is made of blocks, so that resizing by a half or a quarter is exact whoever does it: a stock
model behind a pipeline of half the size gets the pixels of a zoomed one with uniform saliency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ['Shrunken', 'affordable_model', 'shrink', 'shrink_settings']

_SIZES = {
    'scale', 'scales', 'img_scale', 'img_scales', 'crop_size', 'size', 'random_size_range', 'pad',
    'max_size', 'short_edge_length', 'min_size', 'target_size', 'long_edge', 'crop_pad_size',
}  # fmt: skip
_STEP = 32
# Numbers of predictions and classes that only cost time, and the number that is enough here.
_ENOUGH = {
    'max_per_img': 20,
    'nms_pre': 200,
    'max_num': 20,
    'num_queries': 60,
    'num_classes': 400,
}
_NOTHING_TO_LOAD = ('init_cfg', 'pretrained', 'teacher_ckpt')


@dataclass(frozen=True)
class Shrunken:
    """How far a config shrinks.

    Attributes:
        factor: Of all sizes in its pipelines.
        image: (h, w) of what its test pipeline makes of the image, before padding.
        original: (h, w) of the image.
    """

    factor: float
    image: tuple[int, int]
    original: tuple[int, int]


def shrink(settings: dict[str, Any], pipeline: list[Any], side: int) -> Shrunken:
    """How a config shrinks.

    Args:
        settings: The config.
        pipeline: Its test pipeline.
        side: The shorter side of images to aim at, a multiple of 32.
    """
    scale, keep_ratio = _scale(pipeline)
    original = _same if _keeps_size(pipeline) else _twice
    if scale is None:
        image = (side, side * 3 // 2)
        trained, _ = _scale(settings.get('train_pipeline') or [])
        return Shrunken(side / min(trained) if trained else 1.0, image, original(image))
    w, h = scale
    square = max(w, h) < 1.2 * min(w, h)
    factor = side * (1.5 if square else 1) / min(w, h)
    w, h = _scaled(w, factor), _scaled(h, factor)
    if not keep_ratio:
        image = (h, w)
    elif square:
        image = (_scaled(h, 2 / 3), w)
    else:
        short = min(h, w)
        image = (short, min(max(h, w), short * 3 // 2))
    return Shrunken(factor, image, original(image))


def shrink_settings(value: Any, factor: float, half: bool = False, key: str = '') -> Any:
    """A part of a config with its sizes in pixels multiplied by a factor.

    Args:
        value: The part.
        factor: Of each side; results are multiples of 32.
        half: Whether to halve the results.
        key: The key under which the part stands.
    """
    if isinstance(value, dict):
        return {name: shrink_settings(v, factor, half, name) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(shrink_settings(v, factor, half, key) for v in value)
    if key == 'scale_factor' and type(value) is float:
        # Exact for images of blocks, as sizes are.
        return (0.5 if value < 1 else value) * (0.5 if half else 1)
    if key in _SIZES and type(value) is int and value >= _STEP:
        return _scaled(value, factor) // (2 if half else 1)
    return value


def affordable_model(model: dict[str, Any]) -> dict[str, Any]:
    """A model's config with nothing to download, few predictions and none below a threshold."""
    # Sparse R-CNN and QueryInst predict as many as they have proposals.
    return _affordable(model, {} if 'num_proposals' in str(model) else _ENOUGH)


def _affordable(value: Any, enough: dict[str, int]) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_affordable(item, enough) for item in value)
    if not isinstance(value, dict):
        return value
    kept = {k: _affordable(v, enough) for k, v in value.items() if k not in _NOTHING_TO_LOAD}
    for name, most in enough.items():
        if type(kept.get(name)) is int:
            kept[name] = min(kept[name], most)
    for name in ('score_thr', 'objectness_score_thr'):
        if isinstance(kept.get(name), float):
            kept[name] = 0.0
    return kept


def _scale(pipeline: list[Any]) -> tuple[tuple[int, int] | None, bool]:
    """(w, h) of the last transform with a scale, and whether it keeps the ratio."""
    scale, keep_ratio = None, True
    for transform in pipeline:
        for nested in transform.get('transforms', []):
            if isinstance(nested, dict) and _scale([nested])[0]:
                scale, keep_ratio = _scale([nested])
        given = transform.get('scale', transform.get('img_scale'))
        if 'Resize' not in str(transform.get('type')) or given is None:
            continue
        given = given[0] if isinstance(given, list) and isinstance(given[0], tuple) else given
        scale = (given, given) if isinstance(given, int) else tuple(given)
        keep_ratio = transform.get('keep_ratio', False)
    return scale, keep_ratio


def _keeps_size(pipeline: list[Any]) -> bool:
    """Whether images stay as they were taken, or are resized with a camera that is not."""
    text = str(pipeline)
    return _scale(pipeline)[0] is None or ('Mono3D' in text and 'Resize3D' not in text)


def _same(size: tuple[int, int]) -> tuple[int, int]:
    return size


def _scaled(n: int, factor: float) -> int:
    return max(round(n * factor / _STEP), 1) * _STEP


def _twice(size: tuple[int, int]) -> tuple[int, int]:
    return 2 * size[0], 2 * size[1]
