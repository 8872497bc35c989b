"""Try the model of a config that zooms, before somebody trains it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from ..data_preprocessors import ZoomSettings, refuse_unsupported

__all__ = ['try_model']

# Zoomed images of this size leave all levels of stock models a cell at least, and are fast.
_ZOOMED_SIZE = (320, 320)


def try_model(cfg: Config, zoom: dict[str, Any]) -> None:
    """Build the model without pretrained weights, and pass one image through its features.

    Args:
        cfg: The config.
        zoom: The zoom to try it with, such as one whose saliency file does not exist yet.

    Raises:
        ValueError: If the model is not one of images, cannot be zoomed, or does not run.
    """
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    config = copy.deepcopy(cfg.model)
    config.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    config.data_preprocessor.zoom = zoom
    with MODELS.switch_scope_and_registry(None) as registry:
        kind = registry.get(config.type)
    if kind is not None:
        refuse_unsupported(kind)
    try:
        model = MODELS.build(config).eval()
        if config.data_preprocessor.type == 'lzu_mm.ZoomDet3DDataPreprocessor':
            _require_monocular(model)
        with torch.no_grad():
            model.extract_feat(_inputs(model, zoom))
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'
        raise ValueError(f'the model does not run with the zoom: {reason}') from error


def _require_monocular(model: Any) -> None:
    from mmdet3d.models import SingleStageMono3DDetector

    if not isinstance(model, SingleStageMono3DDetector):
        raise TypeError(
            f'{type(model).__name__} is no monocular detector of one image per sample, the only '
            'ones of MMDetection3D that can be zoomed'
        )


def _inputs(model: Any, zoom: dict[str, Any]) -> Any:
    """A zoomed image, as the preprocessor gives it to the model."""
    # Below an eighth, the source image would only cost memory.
    scale = max(ZoomSettings(**zoom).scale or 1, 1 / 8)
    image = torch.rand(3, *(round(n / scale) for n in _ZOOMED_SIZE)) * 255
    images = {'img': [image]} if 'Det3D' in type(model.data_preprocessor).__name__ else [image]
    return model.data_preprocessor({'inputs': images, 'data_samples': None})['inputs']
