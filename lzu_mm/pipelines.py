"""What the pipelines of a config do to the place of things in an image.

Metainfo alone cannot always tell (a crop with the image's aspect looks like a second resize), so
the pipelines themselves are read when a runner builds the model.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Iterator, Mapping

__all__ = ['is_crop', 'is_moving', 'read_pipelines', 'refuse_masks', 'type_name']

_MOVING = re.compile(
    'Mosaic|MixUp|Affine(?!Resize)|ShiftScale|RandomShift|Expand|Rot(ate|Flip)|Shear|Translate'
)
MASKS_STAY = (
    "zoom.labels='warped' moves boxes, not instance masks: set with_mask=False for LoadAnnotations "
    "in the training pipeline, or set zoom.labels='resized' and unzoom the features"
)
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def type_name(config: Mapping[str, Any]) -> str:
    """Name of a component's class without its scope; the config may hold the class itself."""
    kind = config.get('type') or ''
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def is_crop(transform: Any) -> bool:
    """Whether a transform's config is that of a crop, of any MM library or the user."""
    return isinstance(transform, Mapping) and 'Crop' in type_name(transform)


def is_moving(transform: Any) -> bool:
    """Whether a transform moves what is in the image, or composes several images."""
    return isinstance(transform, Mapping) and bool(_MOVING.search(type_name(transform)))


def read_pipelines(reader: str) -> bool:
    """Read the pipelines of the runner that is building the model, if there is one.

    Args:
        reader: Name of what looks at whole images, for the message.

    Returns:
        Whether there is one.

    Raises:
        ValueError: If a pipeline crops or moves the content of images, or flips them without
            noting it.
    """
    settings = _transforms_of_runner()
    for setting, transforms in settings.items():
        _refuse_moved(reader, setting, transforms)
        _refuse_unnoted_flip(reader, setting, transforms)
    return bool(settings)


def refuse_masks() -> None:
    """Refuse instance masks in the training of the runner that is building the model, if any.

    Raises:
        ValueError: If a pipeline loads them.
    """
    for setting, transforms in _transforms_of_runner().items():
        # At test, labels stay as they are.
        is_training = setting in ('train_dataloader', 'custom_hooks')
        if is_training and any(map(_loads_masks, transforms)):
            raise ValueError(f'{MASKS_STAY} ({setting})')


def _loads_masks(transform: Mapping[str, Any]) -> bool:
    return bool(transform.get('with_mask', 'LoadPanopticAnn' in type_name(transform)))


def _transforms_of_runner() -> dict[str, list[Mapping[str, Any]]]:
    """The transforms in each setting of the runner that is building the model; none without it."""
    arguments = _runner_arguments()
    if arguments is None:
        return {}
    datasets = {name: _dataset(arguments.get(name)) for name in _LOADERS}
    hooks = arguments.get('custom_hooks') or []
    datasets['custom_hooks'] = [h.get('switch_pipeline') for h in hooks if isinstance(h, Mapping)]
    return {setting: list(_transforms(dataset)) for setting, dataset in datasets.items()}


def _refuse_moved(reader: str, setting: str, transforms: list[Mapping[str, Any]]) -> None:
    moved = [type_name(t) for t in transforms if is_crop(t) or is_moving(t)]
    if moved:
        raise ValueError(
            f'{reader} looks at whole images, but {setting} has {", ".join(sorted(set(moved)))}, '
            'which crop images or move what is in them: take these out of its pipeline (as '
            "lzu-mm zoomify does), or use type='lzu_mm.UniformSaliency'"
        )


def _refuse_unnoted_flip(reader: str, setting: str, transforms: list[Mapping[str, Any]]) -> None:
    flips = [t for t in transforms if 'Flip' in type_name(t)]
    sideways = all(t.get('direction', 'horizontal') == 'horizontal' for t in flips)
    needed = {'flip'} if sideways else {'flip', 'flip_direction'}
    for pack in transforms:
        missing = needed - set(pack.get('meta_keys', needed))
        if flips and type_name(pack).startswith('Pack') and missing:
            raise ValueError(
                f'{reader} follows the flips of images, but {type_name(pack)} in {setting} '
                f'does not note them: add {sorted(missing)} to its meta_keys'
            )


def _runner_arguments() -> dict[str, Any] | None:
    """Arguments of the runner whose ``__init__`` is running."""
    frame = inspect.currentframe()
    while frame is not None:
        owner = type(frame.f_locals.get('self'))
        is_runner = any(kind.__name__ in ('Runner', 'FlexibleRunner') for kind in owner.__mro__)
        if is_runner and frame.f_code.co_name == '__init__':
            return frame.f_locals
        frame = frame.f_back
    return None


def _dataset(loader: Any) -> Any:
    return loader.get('dataset') if isinstance(loader, Mapping) else None


def _transforms(value: Any) -> Iterator[Mapping[str, Any]]:
    """Configs with a type anywhere in a config: transforms, in branches too, and datasets."""
    if isinstance(value, Mapping):
        if 'type' in value:
            yield value
        for inner in value.values():
            yield from _transforms(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _transforms(inner)
