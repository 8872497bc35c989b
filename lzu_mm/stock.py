"""Parts of stock models, built in the scope of the model that they are for."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from mmengine.registry import MODELS, DefaultScope
from torch import nn

from .link import modules_under_construction

__all__ = ['build_stock', 'library_of']

_LIBRARIES = ('mmdet', 'mmseg', 'mmdet3d')


def build_stock(config: Mapping[str, Any]) -> nn.Module:
    """Build a stock module by its name, as the model would that it becomes a part of.

    A name without a scope is looked up in the scope of the run, then in those of the libraries that
    the model or data preprocessor under construction comes from, then in all others.

    Args:
        config: Config of a registered module; its type may be a class, or have a scope.

    Raises:
        KeyError: If there is no such module.
    """
    name = config['type']
    if isinstance(name, str) and '.' not in name:
        found = (f'{scope}.{name}' for scope in _scopes() if MODELS.get(f'{scope}.{name}'))
        config = {**config, 'type': next(found, name)}
    return MODELS.build(config)


def library_of(model: Mapping[str, Any] | None) -> str | None:
    """The library of a model whose type is a class, as in pure Python configs; else None."""
    kinds = getattr((model or {}).get('type'), '__mro__', ())
    found = (kind.__module__.partition('.')[0] for kind in kinds)
    return next((library for library in found if library in _LIBRARIES), None)


def _scopes() -> Iterator[str]:
    run = DefaultScope.get_current_instance()
    if run is not None:
        yield run.scope_name
    for owner in modules_under_construction():
        for parent in type(owner).__mro__:
            yield parent.__module__.split('.')[0]
    yield from _LIBRARIES
