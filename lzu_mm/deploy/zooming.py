"""How zoom and unzoom get into the graph: as constants, or computed where every warp differs."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, Callable, Iterator

import torch
from torch import Tensor

from ..data_preprocessors import ZoomMixin, warped
from ..data_preprocessors.warped import ContentWarp
from ..link import ZoomedBatch
from ..necks import UnzoomNeck
from .constants import Constants, folded_unzoom, folded_zoom
from .deployed import Deployed
from .looking import check_saliency, static_saliency
from .rewrites import attribute

__all__ = ['folding', 'looks_anew', 'zoom_in_graph']


def looks_anew(deployed: Deployed, image: Tensor) -> bool:
    """Whether the model has a warp of its own for every image.

    Args:
        deployed: The model.
        image: (1, C, H, W).

    Raises:
        ValueError: If its saliency is none of those that can be traced.
    """
    preprocessor = deployed.model.data_preprocessor
    if not isinstance(preprocessor, ZoomMixin):
        return False
    saliency, batch = preprocessor.saliency, deployed.batch(image)
    if saliency.is_uniform or preprocessor.zoom.train_only:
        return False
    if saliency.shared(preprocessor.get_images(batch), batch['data_samples']) is not None:
        return False
    check_saliency(saliency)
    return True


@contextmanager
def folding(deployed: Deployed, parts: torch.nn.ModuleDict) -> Iterator[None]:
    """While this is entered, note the zoom and the unzooms of an unchanging map as constants.

    Args:
        deployed: The model that is run meanwhile.
        parts: Where they are put: unzooms by the size of their level.
    """
    preprocessor = deployed.model.data_preprocessor
    with ExitStack() as stack:
        enter = stack.enter_context
        if isinstance(preprocessor, ZoomMixin):
            stock_zoom = preprocessor._zoom

            def zoom(pixels: Tensor, warp: ContentWarp | None, size: tuple[int, int]) -> Tensor:
                parts['zoom'] = folded_zoom(warp, deployed.size, size, preprocessor.zoom)
                return stock_zoom(pixels, warp, size)

            enter(attribute(preprocessor, '_zoom', zoom))
        for neck in _necks(deployed.model):
            enter(attribute(neck, '_unzoom', _noting(neck, parts)))
        enter(attribute(warped, '_home_grid', _noting_way_home(parts)))
        yield


def zoom_in_graph(
    deployed: Deployed, image: Tensor, parts: torch.nn.ModuleDict | None
) -> AbstractContextManager[None]:
    """While this is entered, a trace of the model holds its zoom in a form that runtimes like.

    Args:
        deployed: The model.
        image: (1, C, H, W).
        parts: What :func:`folding` has noted; None where every warp differs.
    """
    if not isinstance(deployed.model.data_preprocessor, ZoomMixin):
        return nullcontext()
    if parts is None:
        return _arithmetic(deployed)
    return _constants(deployed, image, parts)


@contextmanager
def _constants(deployed: Deployed, image: Tensor, parts: torch.nn.ModuleDict) -> Iterator[None]:
    preprocessor = deployed.model.data_preprocessor
    batch = deployed.batch(image)
    images = preprocessor.get_images(batch)
    known = preprocessor.warp(images, batch['data_samples'], training=False)
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(attribute(preprocessor, 'warp', lambda *_: known))
        enter(attribute(preprocessor, '_zoom', lambda image, *_: parts['zoom'](image)))

        # Levels that are not known are not read.
        def unzoom(feature: Tensor, batch: ZoomedBatch) -> Tensor:
            return parts[_level(feature)](feature) if _level(feature) in parts else feature

        for neck in _necks(deployed.model):
            enter(attribute(neck, '_unzoom', unzoom))
        enter(attribute(warped, '_home_grid', lambda values, *_: parts[_home(values)].grid))
        yield


@contextmanager
def _arithmetic(deployed: Deployed) -> Iterator[None]:
    preprocessor = deployed.model.data_preprocessor

    # By forward: a trace knows no modules but those of the model.
    def zoom(image: Tensor, warp: ContentWarp | None, size: tuple[int, int]) -> Tensor:
        return folded_zoom(warp, deployed.size, size, preprocessor.zoom).forward(image)

    def unzoom(neck: UnzoomNeck, feature: Tensor, batch: ZoomedBatch) -> Tensor:
        cells = (feature.shape[2], feature.shape[3])
        return folded_unzoom(cells, neck, batch).forward(feature)

    with ExitStack() as stack:
        stack.enter_context(static_saliency(preprocessor))
        stack.enter_context(attribute(preprocessor, '_zoom', zoom))
        for neck in _necks(deployed.model):
            stack.enter_context(attribute(neck, '_unzoom', partial(unzoom, neck)))
        yield


def _noting(neck: UnzoomNeck, parts: torch.nn.ModuleDict) -> Callable[..., Tensor]:
    stock_unzoom = neck._unzoom

    def unzoom(feature: Tensor, batch: ZoomedBatch) -> Tensor:
        parts[_level(feature)] = folded_unzoom((feature.shape[2], feature.shape[3]), neck, batch)
        return stock_unzoom(feature, batch)

    return unzoom


def _noting_way_home(parts: torch.nn.ModuleDict) -> Callable[..., Tensor]:
    stock_grid = warped._home_grid

    def home_grid(values: Tensor, *args: Any) -> Tensor:
        grid = stock_grid(values, *args)
        parts[_home(values)] = Constants(grid=grid)
        return grid

    return home_grid


def _necks(model: torch.nn.Module) -> list[UnzoomNeck]:
    return [module for module in model.modules() if isinstance(module, UnzoomNeck)]


def _level(feature: Tensor) -> str:
    return f'unzoom {feature.shape[2]}x{feature.shape[3]}'


def _home(values: Tensor) -> str:
    return f'home {values.shape[-2]}x{values.shape[-1]}'
