"""What a file says of itself, so that those who run it need no config."""

from __future__ import annotations

import json
from typing import Any

import torch
from mmengine.config import Config

from ..data_preprocessors import ZoomMixin
from ..version import __version__
from .deployed import Deployed

__all__ = ['metadata_of']


def metadata_of(model: Any, deployed: Deployed) -> dict[str, str]:
    """The metadata of a file.

    Args:
        model: What is deployed. Its ``cfg`` and ``dataset_meta``, which the ``init_model`` of the
            MM libraries set, are used where there are such.
        deployed: The same as a file.

    Returns:
        Text by key; ``task``, ``names``, ``imgsz`` and ``batch`` as Ultralytics writes them.
    """
    meta = getattr(model, 'dataset_meta', None) or {}
    classes = [str(name) for name in meta.get('classes') or ()]
    preprocessor = model.data_preprocessor
    zoom = preprocessor.zoom if isinstance(preprocessor, ZoomMixin) else None
    config = getattr(model, 'cfg', None)
    found = {
        'task': deployed.task,
        'names': str(dict(enumerate(classes))),
        'imgsz': str(list(deployed.size)),
        'batch': '1',
        'classes': json.dumps(classes),
        'palette': json.dumps(_numbers(meta.get('palette'))),
        'size': json.dumps(list(deployed.size)),
        'channel_order': 'bgr',
        'model': type(model).__name__,
        'zoom': '' if zoom is None else repr(zoom),
        'config': config.pretty_text if isinstance(config, Config) else '',
        'lzu_mm': __version__,
        'torch': torch.__version__,
    }
    if deployed.score_threshold is not None:
        found['score_thr'] = str(deployed.score_threshold)
    if deployed.mask_threshold is not None:
        found['mask_thr_binary'] = str(deployed.mask_threshold)
    if deployed.max_gap is not None:
        found['max_gap'] = str(deployed.max_gap)
        found['original'] = json.dumps(list(deployed.original))
    return found


def _numbers(palette: Any) -> Any:
    if palette is None or isinstance(palette, str):
        return palette
    return [[int(value) for value in colour] for colour in palette]
