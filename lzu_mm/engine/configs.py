"""Configs whose bases are ours: ``_base_ = 'lzu_mm::retinanet/…'``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

_OURS = 'lzu_mm'


def load_config(path: str | Path) -> Config:
    """Read a config.

    mmengine finds bases in packages of a list of its own, and builds what stands in them in the
    scope of their package. Ours are configs of MMDetection, MMSegmentation and MMDetection3D, with
    the prefix ``lzu_mm.`` where it belongs: their scope is that of the run.

    Args:
        path: Its file.

    Returns:
        The config, as ``Config.fromfile`` gives it.
    """
    MODULE2PACKAGE.setdefault(_OURS, _OURS)
    config = Config.fromfile(path)
    _leave_scope(config._cfg_dict)
    return config


def _leave_scope(value: Any) -> None:
    if isinstance(value, dict):
        if value.get('_scope_') == _OURS:
            del value['_scope_']
        for item in value.values():
            _leave_scope(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _leave_scope(item)
