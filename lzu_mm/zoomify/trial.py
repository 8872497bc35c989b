"""Try the model of a config that zooms, before somebody trains it."""

from __future__ import annotations

from typing import Any, Callable

import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

from ..data_preprocessors import ZoomSettings, refuse_unsupported
from ..saliency import BaseSaliency
from ..stock import library_of
from .samples import labelled_batch

__all__ = ['spare_a_crash', 'try_model']

# Zoomed images of this size leave all levels of stock models a cell at least, and are fast.
_ZOOMED_SIZE = (320, 320)
_POINTS = (
    'it computes its features from point clouds, and the zoom is for features of one image per '
    'sample. Among the models of MMDetection3D, take a monocular detector (FCOS3D, PGD, SMOKE)'
)
_WEIGHTS = ('init_cfg', 'pretrained', 'teacher_ckpt')


def try_model(
    cfg: Config, zoom: dict[str, Any], base: Config, size: tuple[int, int] = _ZOOMED_SIZE
) -> list[str]:
    """Build the model without pretrained weights; let it predict, and take a loss.

    What fails is tried with the stock model as well. Where that fails too, the trial is to blame,
    whose labels are made up.

    Args:
        cfg: The config.
        zoom: The zoom to try it with, such as one whose saliency file does not exist yet.
        base: The stock config.
        size: (h, w) of zoomed images, where ``zoom`` does not say it.

    Returns:
        What could not be tried, and why, in words.

    Raises:
        ValueError: If the model is not one of images, cannot be zoomed, or does not run where the
            stock model does.
    """
    init_default_scope(cfg.get('default_scope') or library_of(cfg.model) or 'mmengine')
    _refuse(cfg.model)
    model = _Trial(cfg, zoom, size)
    error = _failure(model.build)
    if error is not None:
        stock = _failure(_Trial(base).build)
        because = ', as the stock model does not' if stock is not None else ''
        raise ValueError(f'the model does not build with the zoom{because}: {_said(error)}')
    untried = []
    for what in ('features', 'predict', 'loss'):
        error = _failure(getattr(model, what))
        if error is None:
            continue
        stock = _failure_of_stock(base, what, size)
        if stock is None:
            raise ValueError(f'the model does not run with the zoom ({what}): {_said(error)}')
        _name_fixed_size(base, what)
        if what != 'features':
            untried.append(f'{what} ({_said(stock)})')
    return untried


def spare_a_crash(model: torch.nn.Module) -> None:
    """Raise where a backward pass on a CPU would end the process: in mmcv 2.1, that of SAC.

    Args:
        model: A stock model or one that zooms (DetectoRS and others).

    Raises:
        RuntimeError: If it is such a model.
    """
    if any(type(module).__name__ == 'SAConv2d' for module in model.modules()):
        raise RuntimeError("mmcv's SAConv2d crashes in its backward pass on a CPU")


def _failure_of_stock(base: Config, what: str, size: tuple[int, int]) -> Exception | None:
    stock = _Trial(base, size=size)
    return _failure(stock.build) or _failure(getattr(stock, what))


def _name_fixed_size(base: Config, what: str) -> None:
    """Refuse any size but that of a backbone that takes one alone (BEiT, MAE)."""
    given = base.model.get('backbone', {}).get('img_size')
    if given is None:
        return
    h, w = (given, given) if isinstance(given, int) else (given[0], given[-1])
    if _failure_of_stock(base, what, (h, w)) is None:
        raise ValueError(
            f'{base.model.backbone.type} takes images of {h}x{w} alone '
            f'(model.backbone.img_size): zoom to it with --size {h} {w}'
        )


def _failure(run: Callable[[], None]) -> Exception | None:
    try:
        run()
    except Exception as error:
        return error
    return None


def _said(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'


def _refuse(model: ConfigDict) -> None:
    with MODELS.switch_scope_and_registry(None) as registry:
        kind = registry.get(model.type) if isinstance(model.type, str) else model.type
    if kind is None:
        return
    names = {parent.__name__ for parent in kind.__mro__}
    if 'MVXTwoStageDetector' in names and not model.get('img_backbone'):
        raise ValueError(f'{kind.__name__} cannot be zoomed: {_POINTS}')
    refuse_unsupported(kind)
    if 'Det3D' in str(model.data_preprocessor.type) and 'SingleStageMono3DDetector' not in names:
        raise ValueError(f'{kind.__name__} cannot be zoomed: {_POINTS}')


class _Trial:
    """A model on trial.

    Args:
        cfg: Its config.
        zoom: The zoom; None for a stock model.
        size: (h, w) of the images that the model is to see.
    """

    def __init__(
        self,
        cfg: Config,
        zoom: dict[str, Any] | None = None,
        size: tuple[int, int] = _ZOOMED_SIZE,
    ) -> None:
        model = cfg.model.to_dict()
        model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
        if zoom is not None:
            _set_zoom(model, zoom)
            # Below an eighth, the source image would only cost memory.
            scale = max(ZoomSettings(**zoom).scale or 1, 1 / 8)
            size = (round(size[0] / scale), round(size[1] / scale))
        elif model['data_preprocessor'].get('size') is not None:
            # Padding to the crops of its pipeline would make its images larger than the zoomed.
            model['data_preprocessor']['size'] = size
        self.size = size
        self.config = _without_weights(model)
        self.preprocessor = str(model['data_preprocessor']['type'])

    def build(self) -> None:
        """Build the model."""
        # Some augmentations of batches ask for it.
        MessageHub.get_current_instance().update_info('iter', 0)
        self.model = revert_sync_batchnorm(MODELS.build(ConfigDict(self.config)))

    def features(self) -> None:
        """Compute the features of one image."""
        self.model.eval()
        with torch.no_grad():
            data = self.model.data_preprocessor(self._batch(training=False))
            self.model.extract_feat(data['inputs'])
        # Features alone detect nothing, for which temporal saliency would wait.
        for module in self.model.data_preprocessor.modules():
            if isinstance(module, BaseSaliency):
                module.reset()

    def predict(self) -> None:
        """Predict for one image."""
        # Models that distil return nothing from eval().
        self.model.eval()
        with torch.no_grad():
            self.model.test_step(self._batch(training=False))

    def loss(self) -> None:
        """Take the loss of two images, and its gradients."""
        spare_a_crash(self.model)
        self.model.train()
        data = self.model.data_preprocessor(self._batch(training=True), True)
        loss, _ = self.model.parse_losses(self.model(**data, mode='loss'))
        loss.backward()

    def _batch(self, training: bool) -> dict[str, Any]:
        return labelled_batch(self.preprocessor, self.size, self.config, training)


def _set_zoom(config: Any, zoom: dict[str, Any]) -> None:
    """Let all preprocessors in a config that zoom do so."""
    preprocessor = config.get('data_preprocessor') if isinstance(config, dict) else None
    if preprocessor and 'zoom' in preprocessor:
        preprocessor['zoom'] = zoom
    for held in ('data_preprocessor', 'detector'):
        if isinstance(config, dict) and held in config:
            _set_zoom(config[held], zoom)


def _without_weights(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_weights(v) for key, v in value.items() if key not in _WEIGHTS}
    return type(value)(map(_without_weights, value)) if type(value) in (list, tuple) else value
