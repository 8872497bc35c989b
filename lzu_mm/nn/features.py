"""What backbones return: maps (N, C, h, w) in tensors, lists, dicts and objects that hold them."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['first_images', 'map_features', 'resize_mask']


def map_features(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to all tensors in what a backbone returns; the rest stays.

    Args:
        function: Of one tensor.
        value: A tensor, or a list, tuple, named tuple, mapping, dataclass or plain object (such as
            a NestedTensor) that holds them, to any depth.

    Returns:
        The same kind of thing; what was given is left as it is.
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        items = {key: map_features(function, item) for key, item in value.items()}
        kind: Any = type(value)
        # Outputs of transformers are ordered dicts and dataclasses in one.
        return kind(**items) if dataclasses.is_dataclass(value) else kind(items)
    if isinstance(value, tuple) and hasattr(value, '_fields'):
        return type(value)(*(map_features(function, item) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(map_features(function, item) for item in value)
    if isinstance(getattr(value, '__dict__', None), dict) and not isinstance(value, type):
        members = vars(value)
        if any(isinstance(item, (Tensor, list, tuple, Mapping)) for item in members.values()):
            changed = copy.copy(value)
            for name, item in members.items():
                object.__setattr__(changed, name, map_features(function, item))
            return changed
    return value


def first_images(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int | str, Tensor]:
    """Where among the arguments of a backbone the images are, and the images.

    Raises:
        TypeError: If there are none.
    """
    places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for place, value in places:
        if isinstance(value, Tensor) and value.dim() == 4:
            return place, value
    raise TypeError(
        'a zoomed backbone takes images (N, C, H, W) as one of its arguments, got '
        f'{[type(value).__name__ for _, value in places]}: zoom the module that sees the images'
    )


def resize_mask(mask: Tensor, frame: tuple[float, float]) -> Tensor:
    """A boolean mask (N, h, w) beside features that were laid on a finer frame."""
    size = [round(n * factor) for n, factor in zip(mask.shape[1:], frame)]
    return F.interpolate(mask[None].float(), size, mode='nearest')[0].to(torch.bool)
