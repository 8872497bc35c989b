"""What the call stack tells of what is being built, and of the models that run.

Registries hand no parent to what they build, and stock models no mode to their necks, so the call
stack is the only place where a part can learn either.
"""

from __future__ import annotations

import inspect
from types import FrameType
from typing import Any, Iterator

from mmengine.model import BaseModel, BaseTTAModel
from torch import nn


def models_under_construction() -> list[tuple[BaseModel, dict[str, Any]]]:
    """The models whose ``__init__`` is running, the innermost first.

    Wrappers for test-time augmentation are left out: they leave preprocessing to the model inside.

    Returns:
        Each with the arguments and local variables of its ``__init__``.
    """
    found: dict[int, tuple[BaseModel, dict[str, Any]]] = {}
    for owner, frame in running_models():
        if frame.f_code.co_name == '__init__' and not isinstance(owner, BaseTTAModel):
            _, inner = found.get(id(owner), (owner, {}))
            found[id(owner)] = (owner, {**frame.f_locals, **inner})
    return list(found.values())


def modules_under_construction() -> list[nn.Module]:
    """The modules whose ``__init__`` is running, the innermost first."""
    found = {
        id(owner): owner
        for owner, frame in callers()
        if isinstance(owner, nn.Module) and frame.f_code.co_name == '__init__'
    }
    return list(found.values())


def in_tensor_mode() -> bool:
    """Whether a model is running in mode ``tensor``, as to count FLOPs."""
    for _, frame in running_models():
        name = frame.f_code.co_name
        if name in ('_forward', 'loss', 'predict'):
            return name == '_forward'
        if name == 'forward':
            return frame.f_locals.get('mode') == 'tensor'
    return False


def running_models() -> Iterator[tuple[BaseModel, FrameType]]:
    """Models in whose methods the call stack is, the innermost first."""
    return ((owner, frame) for owner, frame in callers() if isinstance(owner, BaseModel))


def callers() -> Iterator[tuple[Any, FrameType]]:
    """The objects in whose methods the call stack is, the innermost first."""
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_locals.get('self'), frame
        frame = frame.f_back
