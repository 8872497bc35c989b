"""A stock model and its zoomed twins, with the batches of their own pipelines."""

from __future__ import annotations

import contextlib
import copy
import inspect
import random
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DATASETS, MODELS
from torch import Tensor

from .data import batch, infos, make_files, with_swept_data
from .shrink import Shrunken, affordable_model, shrink, shrink_settings

__all__ = ['Twins', 'flatten', 'resized', 'seed']

# In the names of the parameters of a learned saliency module, which the stock model lacks.
_LEARNED = 'data_preprocessor.saliency.'
_INITIALISERS = [
    name for name in dir(torch.nn.init) if name.endswith('_') and not name.startswith('_')
]


class Twins:
    """What the checks run: a stock config and the one that zoomify made of it.

    Args:
        library: Whose config it is.
        stock: Its settings.
        zoomed: The settings of the child.
        folder: For images.
        side: The shorter side of images to aim at.
    """

    def __init__(
        self, library: str, stock: dict[str, Any], zoomed: dict[str, Any], folder: Path, side: int
    ) -> None:
        self.library, self.stock, self.zoomed = library, stock, zoomed
        loader = stock.get('test_dataloader') or {}
        self.pipeline = _pipeline(loader.get('dataset')) or stock.get('test_pipeline') or []
        self.shrunken: Shrunken = shrink(stock, self.pipeline, side)
        self.classes = min([*_numbers('num_classes', stock['model']), 81])
        self.folder = folder
        for index in range(2):
            make_files(folder, self.shrunken.original, self.classes, index)

    def model(self, zoom: dict[str, Any] | None = None, like: torch.nn.Module | None = None) -> Any:
        """Build the stock model, or the one that zooms so.

        Args:
            zoom: The ``zoom`` of the preprocessor; None for the stock model.
            like: A model whose weights it takes over, strictly.
        """
        settings = copy.deepcopy(self.stock if zoom is None else self.zoomed)
        if 'test_cfg' in settings['model']:
            # Slides are compared as whole images.
            settings['model']['test_cfg'] = copy.deepcopy(self.zoomed['model']['test_cfg'])
        model = affordable_model(settings['model'])
        model.setdefault('data_preprocessor', settings.get('data_preprocessor'))
        preprocessor = shrink_settings(model['data_preprocessor'], self.shrunken.factor)
        model['data_preprocessor'] = preprocessor
        if zoom is not None:
            set_zoom(model, zoom)
        seed(0)
        # The weights of a teacher are not among the model's.
        spared = like is not None and not any(key.startswith('teacher') for key in model)
        with _uninitialised() if spared else contextlib.nullcontext():
            built = MODELS.build(ConfigDict(model))
        if like is None:
            built.init_weights()
            _stir(built)
        built = revert_sync_batchnorm(built)
        if like is not None:
            weights = {k: v for k, v in built.state_dict().items() if _LEARNED in k}
            built.load_state_dict({**weights, **like.state_dict()}, strict=True)
            _stir_saliency(built)
        built.eval()
        return built

    def test_batch(self, zoomed: bool, half: bool = False) -> dict[str, Any]:
        """A batch of one image through the test pipeline, or one of half the size."""
        settings = self.zoomed if zoomed else self.stock
        loader = settings.get('test_dataloader') or {'dataset': {'pipeline': self.pipeline}}
        return self._batch(loader['dataset'], 1, half)

    def train_batch(self, half: bool = False) -> dict[str, Any]:
        """A batch of two images through the training pipeline that zoomify left."""
        return self._batch(self.zoomed['train_dataloader']['dataset'], 2, half)

    def _batch(self, dataset: Any, count: int, half: bool) -> dict[str, Any]:
        seed(0)
        # Where a pipeline resizes without the camera, a half image has a camera of its own.
        mono3d = self.library == 'mmdet3d' and 'Resize3D' not in str(dataset)
        found = infos(
            self.library,
            self.folder,
            self.shrunken.original,
            self.classes,
            half=half and mono3d,
            box_size=self._box_size(),
            proposals='LoadProposals' in str(dataset),
            reduce_zero_label=_reduces_zero_label(dataset),
        )
        dataset = with_swept_data(copy.deepcopy(dataset), found, self.classes)
        return batch(shrink_settings(dataset, self.shrunken.factor, half), count)

    def _box_size(self) -> int:
        """How many numbers a 3D box has."""
        model = self.stock['model']
        return max([*_numbers('bbox_code_size', model), *_numbers('code_size', model)], default=7)


def resized(data: dict[str, Any], target: tuple[int, int] | None = None) -> dict[str, Any]:
    """A batch resized by hand, for pipelines that do not give the same pixels at another size.

    They pad to sizes of their own (``RandomCenterCropPad``), or resize by Pillow.

    Args:
        data: As a data loader hands it over.
        target: (h, w) of its images; None for half the size.
    """
    data = copy.deepcopy(data)
    for i, (image, sample) in enumerate(zip(data['inputs'], data['data_samples'])):
        size = target or tuple(int(n * 0.5 + 0.5) for n in image.shape[-2:])
        y, x = (new / old for new, old in zip(size, image.shape[-2:]))
        data['inputs'][i] = F.interpolate(
            image[None].float(), size, mode='bilinear', align_corners=False
        )[0]
        scale_w, scale_h = np.ravel(sample.metainfo.get('scale_factor', 1.0))[[0, -1]]
        sample.set_metainfo(dict(img_shape=size, scale_factor=(scale_w * x, scale_h * y)))
        if 'border' in sample.metainfo:
            sample.set_metainfo(dict(border=np.array(sample.border) * [y, y, x, x]))
    return data


def set_zoom(config: Any, zoom: dict[str, Any]) -> None:
    """Let all preprocessors in a config that zoom do so."""
    if isinstance(config, dict):
        if 'zoom' in config:
            config['zoom'] = zoom
        for held in ('data_preprocessor', 'detector'):
            set_zoom(config.get(held), zoom)


def seed(value: int) -> None:
    """Seed all that is random in pipelines and models."""
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def flatten(samples: list[Any]) -> dict[str, Tensor]:
    """All predictions of a batch as tensors, by name."""
    found: dict[str, Tensor] = {}
    for i, sample in enumerate(samples):
        for name, element in sample.items():
            if name.startswith('pred') or name == 'seg_logits':
                for field, value in element.items():
                    value = getattr(value, 'tensor', value)
                    if isinstance(value, np.ndarray):
                        value = torch.from_numpy(value)
                    if isinstance(value, Tensor):
                        found[f'{i}.{name}.{field}'] = value.detach()
    return found


def _pipeline(dataset: Any) -> Any:
    while isinstance(dataset, (dict, list)):
        if isinstance(dataset, list):
            dataset = dataset[0]
        elif 'pipeline' in dataset:
            return dataset['pipeline']
        else:
            dataset = dataset.get('dataset', dataset.get('datasets'))
    return None


def _innermost(dataset: Any) -> dict[str, Any]:
    while 'dataset' in dataset or 'datasets' in dataset:
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    return dataset


def _reduces_zero_label(dataset: Any) -> bool:
    """What a data set tells its pipeline of the label 0."""
    inner = _innermost(dataset)
    for transform in inner.get('pipeline', []):
        if transform.get('reduce_zero_label') is not None:
            return bool(transform['reduce_zero_label'])
    if 'reduce_zero_label' in inner:
        return bool(inner['reduce_zero_label'])
    with DATASETS.switch_scope_and_registry(None) as registry:
        kind = registry.get(str(inner.get('type')))
    if kind is None:
        return False
    parameter = inspect.signature(kind.__init__).parameters.get('reduce_zero_label')
    return bool(parameter is not None and parameter.default is True)


def _numbers(name: str, value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        if type(value.get(name)) is int:
            yield value[name]
        for item in value.values():
            yield from _numbers(name, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(name, item)


def _stir(model: torch.nn.Module) -> None:
    """Let no bias stand at its start, where some heads give boxes of no extent."""
    for name, parameter in model.named_parameters():
        if name.endswith('bias'):
            parameter.data += 0.1 * torch.randn_like(parameter)


def _stir_saliency(model: torch.nn.Module) -> None:
    """Let a learned map, which starts uniform, have peaks."""
    for name, parameter in model.named_parameters():
        if _LEARNED in name:
            torch.nn.init.normal_(parameter, std=0.3)


@contextlib.contextmanager
def _uninitialised() -> Iterator[None]:
    """Spare the initialisation of weights that are about to be loaded."""
    kept = {name: getattr(torch.nn.init, name) for name in _INITIALISERS}
    try:
        for name in kept:
            setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
        yield
    finally:
        for name, function in kept.items():
            setattr(torch.nn.init, name, function)
