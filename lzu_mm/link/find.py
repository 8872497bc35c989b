"""Find the link while a registry builds a stock model.

``BaseModel.__init__`` builds the data preprocessor, which makes the link, before the neck.
"""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModel
from torch import nn

from .callers import models_under_construction
from .warp_link import WarpLink


def find_link(reader: str, otherwise: str) -> WarpLink:
    """Find the link for a part of a model that is being built.

    Where a model is built inside another (distillation, semi-supervision, tracking), the outermost
    one preprocesses the data.

    Args:
        reader: Name of the part, for the error.
        otherwise: What else to do about the error.

    Returns:
        The link of the data preprocessor of the model under construction.

    Raises:
        RuntimeError: If there is no zoom data preprocessor to link with.
    """
    models = models_under_construction()
    links = [link_in(model) for model, _ in models]
    if links and links[-1] is not None:
        return links[-1]
    if not any(links):
        raise RuntimeError(
            f'{reader} found no zoom data preprocessor to link with. Set '
            "model.data_preprocessor.type to 'lzu_mm.ZoomDetDataPreprocessor' "
            '(lzu_mm.ZoomSegDataPreProcessor, lzu_mm.ZoomDet3DDataPreprocessor), hand the link of '
            f'a preprocessor over (link=preprocessor.link), or {otherwise}.'
        )
    raise RuntimeError(_never_called(models))


def link_in(model: nn.Module) -> WarpLink | None:
    """The link of a model's data preprocessor, or of one that it wraps (multi-branch)."""
    preprocessor = getattr(model, 'data_preprocessor', None)
    parts = preprocessor.modules() if isinstance(preprocessor, nn.Module) else ()
    links = (vars(part).get('link') for part in parts)
    return next((link for link in links if isinstance(link, WarpLink)), None)


def backbone_to_follow() -> nn.Module | None:
    """The backbone that feeds the neck under construction.

    Models build a backbone before its neck, so that it is the one that has no neck yet: the
    model's own, or that of a member, such as the teacher of LAD.
    """
    for model, _ in models_under_construction()[:1]:
        members = [model, *(value for value in _members(model) if isinstance(value, nn.Module))]
        for member in members:
            backbone = getattr(member, 'backbone', None)
            if isinstance(backbone, nn.Module) and getattr(member, 'neck', None) is None:
                return backbone
    return None


def refuse_unused_zoom() -> None:
    """Refuse a zoom data preprocessor that would never be called.

    Raises:
        RuntimeError: If it is built for a model inside another, which does not zoom.
    """
    models = models_under_construction()
    if len(models) > 1 and link_in(models[-1][0]) is None:
        raise RuntimeError(_never_called(models))


def _never_called(models: list[tuple[BaseModel, dict[str, Any]]]) -> str:
    inner, outer = type(models[0][0]).__name__, type(models[-1][0]).__name__
    return (
        f'The zoom of {inner} would never run: {outer}, which it is built into, preprocesses the '
        f"data. Set the outer model.data_preprocessor.type to 'lzu_mm.ZoomDetDataPreprocessor' (in "
        'a MultiBranchDataPreprocessor, its data_preprocessor.type), if it takes a '
        'DetDataPreprocessor; else (trackers) keep the stock data_preprocessor and neck of the '
        'model inside.'
    )


def _members(model: nn.Module) -> list[Any]:
    """Modules of a model, those that it hides from ``children()`` among them."""
    return [*vars(model).values(), *model.children()]
