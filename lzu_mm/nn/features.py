"""What backbones return: maps (N, C, h, w) in tensors, lists, dicts and objects that hold them."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any, Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['check_channels_first', 'first_images', 'map_features', 'resize_mask']


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
        # Attentions (N, heads, L, L) are of tokens, which no warp of maps moves.
        items = {
            key: item if str(key).endswith('attentions') else map_features(function, item)
            for key, item in value.items()
        }
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


def check_channels_first(feature: Tensor, canvas: tuple[int, int]) -> None:
    """Refuse maps (N, h, w, C), as Swin transformers of torchvision and timm return them.

    Args:
        feature: A map, (N, C, h, w) if all is well.
        canvas: (h, w) of the image that it was computed from.

    Raises:
        ValueError: If only the axes before the last fit the image, with one stride for both.
    """
    shape = tuple(feature.shape)
    if _has_one_stride(shape[1:3], canvas) and not _has_one_stride(shape[2:], canvas):
        raise ValueError(
            f'a map of shape {shape} of an image of {tuple(canvas)} has its channels last: let the '
            'backbone return (N, C, h, w), by feature.permute(0, 3, 1, 2)'
        )


def _has_one_stride(cells: tuple[int, ...], canvas: tuple[int, int]) -> bool:
    """Whether a stride gives these numbers of cells, rounded up or down, on both axes."""
    least = max(n / (count + 1) for n, count in zip(canvas, cells))
    most = min(n / (count - 1) if count > 1 else math.inf for n, count in zip(canvas, cells))
    return least <= most


def resize_mask(mask: Tensor, frame: tuple[float, float]) -> Tensor:
    """A boolean mask (N, h, w) beside features that were laid on a finer frame."""
    size = [round(n * factor) for n, factor in zip(mask.shape[1:], frame)]
    return F.interpolate(mask[None].float(), size, mode='nearest')[0].to(torch.bool)
