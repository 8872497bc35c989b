"""Pipelines that leave images whole: saliency is a map of the whole image, and unzoom needs it."""

from __future__ import annotations

import re
from typing import Any

__all__ = ['is_crop', 'moving', 'without_crops']

_MOVING = re.compile('Mosaic|MixUp|Affine|RandomShift|Expand|Rotate|Shear|Translate')


def is_crop(transform: Any) -> bool:
    """Whether a transform's config is that of a crop, of any MM library or the user."""
    return isinstance(transform, dict) and 'Crop' in _name(transform)


def moving(pipeline: list[Any]) -> list[str]:
    """Transforms that move the content of images, or compose several: maps do not follow them.

    Args:
        pipeline: Configs of transforms.

    Returns:
        Their names.
    """
    names = [_name(transform) for transform in pipeline if isinstance(transform, dict)]
    return [name for name in names if _MOVING.search(name)]


def without_crops(pipeline: list[Any]) -> tuple[list[Any], list[str]]:
    """Take the crops out of a pipeline.

    A RandomResize over a range of ratios, whose results the crop cut back to one size, becomes a
    Resize to its base scale. Branches (``RandomChoice``, ``RandomApply``) are searched as well.

    Args:
        pipeline: Configs of transforms, or lists of them as branches have; left as it is.

    Returns:
        The pipeline without crops, and the names of the crops.
    """
    kept, crops = [], []
    cropped = False
    for transform in pipeline:
        if is_crop(transform):
            crops.append(_name(transform))
            cropped = True
            continue
        whole, found = _search(transform)
        crops += found
        if not (found and _is_hollow(whole)):
            kept.append(whole)
    return ([_resize(transform) for transform in kept] if cropped else kept), crops


def _search(value: Any) -> tuple[Any, list[str]]:
    """A transform, or anything in it, without the crops in its branches."""
    if isinstance(value, (list, tuple)):
        whole, crops = without_crops(list(value))
        return (whole, crops) if crops else (value, [])
    if not isinstance(value, dict):
        return value, []
    searched = {key: _search(item) for key, item in value.items()}
    crops = [crop for _, found in searched.values() for crop in found]
    return {key: item for key, (item, _) in searched.items()}, crops


def _is_hollow(transform: Any) -> bool:
    """Whether nothing is left to apply, as in RandomApply([RandomCrop])."""
    return isinstance(transform, dict) and transform.get('transforms') == []


def _resize(transform: Any) -> Any:
    if not isinstance(transform, dict) or _name(transform) != 'RandomResize':
        return transform
    if transform.get('ratio_range') is None:
        return transform
    kept = {key: v for key, v in transform.items() if key not in ('ratio_range', 'resize_type')}
    scope = transform['type'].rpartition('RandomResize')[0]
    return {**kept, 'type': transform.get('resize_type', f'{scope}Resize')}


def _name(transform: dict[str, Any]) -> str:
    kind = transform.get('type', '')
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]
