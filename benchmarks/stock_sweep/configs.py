"""The stock configs that are installed, their distinct models, and the order to try them in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Iterator

from mmengine.config import Config
from mmengine.utils import get_installed_path

from lzu_mm.zoomify import settings_of

LIBRARIES = ('mmdet', 'mmseg', 'mmdet3d')
# What tells two configs apart, but not what the zoom meets in their models.
_NOISE = {
    'init_cfg', 'pretrained', 'checkpoint', 'checkpoint_file', 'teacher_ckpt', 'num_classes',
    'bbox_head_classes', 'out_channels_of_classes', 'class_weight', 'with_cp', 'ignore_index',
}  # fmt: skip


@dataclass(frozen=True)
class StockConfig:
    """One config that a library ships.

    Attributes:
        name: As ``_base_`` names it, ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``.
        path: Its file.
        model_hash: Of all that the zoom meets: the model, and the kinds of its transforms.
        kinds: Hash of the set of types in it, whatever their settings; of the library as well.
    """

    name: str
    path: Path
    model_hash: str
    kinds: str

    @property
    def library(self) -> str:
        """Whose config it is."""
        return self.name.partition('::')[0]

    @property
    def family(self) -> str:
        """Library and folder."""
        library, _, rest = self.name.partition('::')
        return f'{library}::{rest.partition("/")[0]}'


def stock_paths() -> Iterator[tuple[str, Path]]:
    """Names and files of all stock configs."""
    for library in LIBRARIES:
        root = Path(get_installed_path(library)) / '.mim' / 'configs'
        for path in sorted(root.rglob('*.py')):
            relative = path.relative_to(root)
            if '_base_' not in relative.parts and len(relative.parts) > 1:
                yield f'{library}::{relative.as_posix()}', path


def describe(name: str, path: Path) -> StockConfig | None:
    """Read a config for what distinguishes its model; one that cannot be read is its own kind.

    Returns:
        What is known of it; None for a part of configs, which has no model.
    """
    try:
        settings = settings_of(Config.fromfile(path))
    except Exception:
        return StockConfig(name, path, name, name)
    if not settings.get('model'):
        return None
    library = name.partition('::')[0]
    pipelines = {
        key: sorted(_types(list(_pipelines(settings.get(key)))))
        for key in ('train_dataloader', 'test_dataloader')
    }
    model = _without_noise(settings.get('model'))
    kinds = [library, sorted(_types(settings.get('model'))), pipelines]
    return StockConfig(name, path, _hash([library, model, pipelines]), _hash(kinds))


def in_order(configs: Iterable[StockConfig]) -> list[StockConfig]:
    """Distinct models, breadth first: a config for each family, for each set of kinds, the rest."""
    distinct: dict[str, StockConfig] = {}
    for config in sorted(configs, key=_plainness):
        distinct.setdefault(config.model_hash, config)
    first: dict[str, StockConfig] = {}
    for key in ('family', 'kinds', 'model_hash'):
        seen: set[str] = {getattr(config, key) for config in first.values()}
        for config in distinct.values():
            if getattr(config, key) not in seen:
                seen.add(getattr(config, key))
                first.setdefault(config.name, config)
    return list(first.values())


def _plainness(config: StockConfig) -> tuple[bool, int, str]:
    return 'r50' not in config.name and 'r18' not in config.name, len(config.name), config.name


def _pipelines(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == 'pipeline':
                yield item
            else:
                yield from _pipelines(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _pipelines(item)


def _types(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {str(value['type'])} if 'type' in value else set()
        return own.union(*(_types(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*map(_types, value))
    return set()


def _without_noise(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_noise(v) for key, v in value.items() if key not in _NOISE}
    return [_without_noise(v) for v in value] if isinstance(value, (list, tuple)) else value


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
