"""Pipelines that leave images whole: saliency is a map of the whole image, and unzoom needs it.

Crops are removed, and so is what composes or moves the content of images. What only served them
goes too: of several resizes in a row the last one stays, since it decides the size of the image.
"""

from __future__ import annotations

from typing import Any

from ..pipelines import is_crop, is_moving, type_name

__all__ = ['size_before_zoom', 'whole_images']

# Where transforms hold others.
_HELD = ('transforms', 'aug_space', 'policies')
_BRANCHES = ('RandomChoice', 'RandomApply', 'RandomOrder')


def whole_images(pipeline: list[Any]) -> tuple[list[Any], list[str]]:
    """Take out of a pipeline what contradicts a map of the whole image.

    A RandomResize over a range of ratios, whose results a crop cut back to one size, becomes a
    Resize to its base scale; one behind a Mosaic, to the scale of its tiles. Branches
    (``RandomChoice``, ``RandomApply``) are searched as well.

    Args:
        pipeline: Configs of transforms, or lists of them as branches have; left as it is.

    Returns:
        The pipeline, and what was taken out, in words.
    """
    whole, removed = _without_crops(pipeline)
    whole, resizes = _last_resize(whole)
    if resizes:
        removed.append('resize in front of another')
    return [left for transform in whole for left in _one_branch(transform)], removed


def _without_crops(pipeline: list[Any]) -> tuple[list[Any], list[str]]:
    kept: list[Any] = []
    removed: list[str] = []
    for transform in pipeline:
        if is_crop(transform) or is_moving(transform):
            removed.append(_name(transform))
            continue
        whole, found = _search(transform)
        removed += found
        if not (found and _is_hollow(whole)):
            kept.append(whole)
    tiles = [transform['img_scale'] for transform in pipeline if _has_tiles(transform)]
    if tiles:
        kept = _resized_to(tiles[0], kept)
    if any(map(is_crop, pipeline)):
        kept, jitters = _fixed_size(kept)
        removed += jitters
    return kept, removed


def _search(value: Any) -> tuple[Any, list[str]]:
    """A transform, or anything in it, whose branches leave images whole."""
    if isinstance(value, (list, tuple)):
        whole, removed = _without_crops(list(value))
        return (whole, removed) if removed else (value, [])
    if not isinstance(value, dict):
        return value, []
    searched = {key: _search(item) for key, item in value.items()}
    removed = [name for _, found in searched.values() for name in found]
    return {key: item for key, (item, _) in searched.items()}, removed


def _is_hollow(transform: Any) -> bool:
    """Whether nothing is left to apply, as in RandomApply([RandomCrop])."""
    if not isinstance(transform, dict):
        return False
    held = [transform[key] for key in _HELD if isinstance(transform.get(key), (list, tuple))]
    return bool(held) and not any(map(_flat, held))


def _flat(held: Any) -> list[Any]:
    """The transforms in lists of lists."""
    if not isinstance(held, (list, tuple)):
        return [held]
    return [transform for item in held for transform in _flat(item)]


def _fixed_size(pipeline: list[Any]) -> tuple[list[Any], list[str]]:
    """A pipeline without its crops, which does not need them: no jitter of scale, no small pads."""
    fixed = [_resize(transform) for transform in pipeline]
    removed = ['random ratio of RandomResize'] if fixed != pipeline else []
    scales = [t['scale'] for t in fixed if _is_resize(t) and _is_pair(t.get('scale'))]
    kept = [t for t in fixed if not any(_is_smaller_pad(t, scale) for scale in scales)]
    return kept, removed + (['Pad to its size'] if kept != fixed else [])


def _is_smaller_pad(transform: Any, scale: tuple[int, int]) -> bool:
    size = transform.get('size') if isinstance(transform, dict) else None
    if size is None or _name(transform) != 'Pad' or isinstance(size, int):
        return False
    return min(size) < min(scale) or max(size) < max(scale)


def _resize(transform: Any) -> Any:
    if not isinstance(transform, dict) or _name(transform) != 'RandomResize':
        return transform
    if transform.get('ratio_range') is None:
        return transform
    kept = {key: v for key, v in transform.items() if key not in ('ratio_range', 'resize_type')}
    scope = transform['type'].rpartition('RandomResize')[0]
    return {**kept, 'type': transform.get('resize_type', f'{scope}Resize')}


def _has_tiles(transform: Any) -> bool:
    return is_moving(transform) and 'Mosaic' in _name(transform) and 'img_scale' in transform


def _resized_to(tile: Any, pipeline: list[Any]) -> list[Any]:
    """A pipeline whose images are as large as the tiles of the mosaic that it has lost."""
    if not any(map(_sets_size, pipeline)):
        at = next((i for i, t in enumerate(pipeline) if not _name(t).startswith('Load')), 0)
        resize = dict(type='Resize', scale=tuple(tile), keep_ratio=True)
        return [*pipeline[:at], resize, *pipeline[at:]]
    return [
        {**transform, 'scale': tuple(tile)}
        if _is_resize(transform) and _is_larger(transform.get('scale'), tile)
        else transform
        for transform in pipeline
    ]


def _is_larger(scale: Any, tile: Any) -> bool:
    return _is_pair(scale) and max(scale) > max(tile)


def _is_pair(scale: Any) -> bool:
    return isinstance(scale, (tuple, list)) and all(isinstance(n, int) for n in scale)


def _last_resize(pipeline: list[Any], decided: bool = False) -> tuple[list[Any], bool]:
    """A pipeline with only the last of its resizes, and whether others were taken out."""
    kept: list[Any] = []
    removed = False
    for transform in reversed(pipeline):
        if decided and _is_resize(transform):
            removed = True
            continue
        if isinstance(transform, (list, tuple)) or _is_branching(transform):
            whole, found = _in_branches(transform, decided)
            removed |= found
            decided = decided or _sets_size(transform)
            if not (found and _is_hollow(whole)):
                kept.append(whole)
            continue
        decided = decided or _sets_size(transform)
        kept.append(transform)
    return kept[::-1], removed


def _in_branches(transform: Any, decided: bool) -> tuple[Any, bool]:
    if not isinstance(transform, dict):
        return _last_resize(list(transform), decided)
    if 'RandomChoice' in _name(transform):
        found = [_last_resize(branch, decided) for branch in _choices(transform)]
        branches, removed = [whole for whole, _ in found], any(one for _, one in found)
    else:
        branches, removed = _last_resize(list(transform['transforms']), decided)
    return ({**transform, 'transforms': branches} if removed else transform), removed


def _is_branching(transform: Any) -> bool:
    return _name(transform) in _BRANCHES and isinstance(transform.get('transforms'), (list, tuple))


def _is_resize(transform: Any) -> bool:
    """Whether a transform resizes to a size of its own, whatever size the image has."""
    if not isinstance(transform, dict) or 'Resize' not in _name(transform):
        return False
    if is_crop(transform) or 'AffineResize' in _name(transform):
        return False
    return any(transform.get(key) is not None for key in ('scale', 'scales', 'img_scale'))


def size_before_zoom(config: dict[str, Any]) -> tuple[int, int] | None:
    """What the test pipeline resizes images to, in front of the zoom, which sees no finer detail.

    Args:
        config: Settings of a config.

    Returns:
        (w, h), as ``Resize`` takes it; None where images come in their own size.
    """
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    for transform in reversed(dataset.get('pipeline') or []):
        if _is_resize(transform):
            scale = transform.get('scale') or transform.get('img_scale')
            pair = isinstance(scale, (tuple, list)) and len(scale) == 2
            return tuple(scale) if pair and all(isinstance(n, int) for n in scale) else None
    return None


def _sets_size(transform: Any) -> bool:
    """Whether a transform makes the size that images had before it irrelevant."""
    if _is_resize(transform):
        return True
    if not _is_branching(transform) or 'RandomChoice' not in _name(transform):
        return False
    return all(any(map(_sets_size, branch)) for branch in _choices(transform))


def _one_branch(transform: Any) -> list[Any]:
    """Replace a RandomChoice whose branches have become equal by that one branch."""
    if not _is_branching(transform) or 'RandomChoice' not in _name(transform):
        return [transform]
    branches = _choices(transform)
    return branches[0] if all(branch == branches[0] for branch in branches) else [transform]


def _choices(transform: dict[str, Any]) -> list[list[Any]]:
    branches = transform['transforms']
    return [list(b) if isinstance(b, (list, tuple)) else [b] for b in branches]


def _name(transform: Any) -> str:
    return type_name(transform) if isinstance(transform, dict) else ''
