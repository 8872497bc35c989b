"""Zoom a model in place, and take the zoom off again.

As ToMe patches models, the module gets a class that derives from its own: names of weights, hooks
and attributes stay.
"""

from __future__ import annotations

import functools
from typing import Any

from torch import nn

from .zoom import Zoom

__all__ = ['remove_zoom_', 'zoom_']

_ZOOM, _SALIENCY = 'lzu_zoom', 'lzu_saliency'
_CONTAINERS = (nn.Sequential, nn.ModuleDict, nn.ModuleList)


def zoom_(
    model: nn.Module, path: str, saliency: Any, scale: float | None = None, **zoom: Any
) -> None:
    """Let a part of a model run on zoomed images, in place.

    Args:
        model: The model.
        path: Of the part that turns images into features, such as ``'backbone'`` or
            ``'model.backbone.conv_encoder'``; ``''`` for the model itself.
        saliency: See :class:`Zoom`.
        scale: Ratio of each side of the zoomed image; 0.5 unless ``size`` is given.
        **zoom: Further settings of :class:`Zoom`.

    Raises:
        AttributeError: If the model has no such part.
        ValueError: If it is zoomed already, a setting is wrong, or the part is a container and the
            saliency learns.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.Flatten())
        >>> names = list(model.state_dict())
        >>> zoom_(model, '0', torch.rand(31, 51), scale=0.5)
        >>> list(model.state_dict()) == names
        True
        >>> remove_zoom_(model, '0')
    """
    part = model.get_submodule(path)
    if _ZOOM in vars(part):
        raise ValueError(f'{path or "the model"} is zoomed already: call remove_zoom_ first')
    settings = Zoom(saliency, scale, **zoom)
    if isinstance(settings.saliency, nn.Module):
        if isinstance(part, _CONTAINERS):
            raise ValueError(
                f'{path or "the model"} runs all its members in a row, where a saliency that '
                'learns has no place: wrap it in a ZoomedBackbone'
            )
        part.add_module(_SALIENCY, settings.saliency)
    # No member: containers would run it.
    vars(part)[_ZOOM] = settings
    kind: Any = type(part)
    part.__class__ = _zoomed(kind)


def remove_zoom_(model: nn.Module, path: str) -> None:
    """Take the zoom off a part of a model.

    Args:
        model: The model.
        path: As for :func:`zoom_`.

    Raises:
        ValueError: If the part is not zoomed.
    """
    part = model.get_submodule(path)
    if _ZOOM not in vars(part):
        raise ValueError(f'{path or "the model"} is not zoomed')
    del vars(part)[_ZOOM]
    part._modules.pop(_SALIENCY, None)
    part.__class__ = type(part).__mro__[1]


@functools.lru_cache(maxsize=None)
def _zoomed(kind: Any) -> Any:
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return vars(self)[_ZOOM].around(functools.partial(kind.forward, self), args, kwargs)

    def reduce(self: Any) -> Any:
        return _new, (kind,), self.__getstate__() if hasattr(self, '__getstate__') else vars(self)

    members = {'forward': forward, '__reduce__': reduce, '__module__': kind.__module__}
    return type(f'Zoomed{kind.__name__}', (kind,), members)


def _new(kind: Any) -> Any:
    """An empty module of the class, for copies and pickles."""
    zoomed = _zoomed(kind)
    return zoomed.__new__(zoomed)
