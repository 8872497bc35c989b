"""Configs whose bases are ours, ``_base_ = 'lzu_mm::retinanet/…'``, or YAML, which runs no code."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Iterator
from unittest.mock import patch

import yaml
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.fileio import YamlHandler, register_handler

from ..shipped import shipped_folder

# libyaml's is several times faster; mmengine reads all metafiles of a library for one base.
_LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


def load_config(path: str | Path) -> Config:
    """Read a config, whose bases may be ours.

    Args:
        path: Its file, or one of a library such as ``mmdet::retinanet/….py``.

    Returns:
        The config, as ``Config.fromfile`` gives it.

    Raises:
        FileNotFoundError: If there is no such config or base.
        yaml.YAMLError: If a base in YAML asks for objects of Python.
    """
    register_handler(['yaml', 'yml'])(_SafeYamlHandler)
    find_fork()
    with _own_bases():
        if '::' in str(path):
            return Config.fromstring(f'_base_ = {str(path)!r}', '.py')
        return Config.fromfile(path)


def find_fork() -> None:
    """Let ``mmseg::`` be found where MMSegmentation is the fork's.

    Its MMEngine looks for a distribution ``mmsegmentation``; the fork's has another name.
    """
    try:
        distribution('mmsegmentation')
    except PackageNotFoundError:
        MODULE2PACKAGE['mmseg'] = 'mmseg'


class _SafeYamlHandler(YamlHandler):
    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        return super().load_from_fileobj(file, **{**kwargs, 'Loader': _LOADER})


@contextmanager
def _own_bases() -> Iterator[None]:
    """Let mmengine find our configs, as it finds those of the packages of OpenMMLab.

    Those are built in the scope of their package. Ours are configs of these packages too, with the
    prefix ``lzu_mm.`` where it belongs, and keep the scope of the run.
    """
    stock = Config._get_cfg_path

    def find(base: str, filename: str) -> tuple[str, str | None]:
        package, _, rest = base.partition('::')
        if package != 'lzu_mm' or not rest:
            return stock(base, filename)
        own = shipped_folder('configs') / rest
        if not own.is_file():
            raise FileNotFoundError(f'{base}: there is no {own}')
        return str(own), None

    with patch.object(Config, '_get_cfg_path', staticmethod(find)):
        yield
