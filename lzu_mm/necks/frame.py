"""The frame on which features are laid: finer than the levels, so that heads have finer strides.

Convention: strides are pairs (x, y) in pixels of the zoomed image, as the prior generators of
MMDetection write them; frames are (along y, along x).
"""

from __future__ import annotations

import inspect
from typing import Any, Mapping, Sequence

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from ..checks import check_pair
from ..warps import infer_stride

# What heads are called in the configs of detectors.
HEADS = ('bbox_head', 'rpn_head')
# Settings of a head that hold its strides.
GENERATORS = ('anchor_generator', 'prior_generator')
_TRIAL_SIZE = 256


def frame_of(frame: float | Sequence[float]) -> tuple[float, float]:
    """Cells for each cell of a level, along y and along x.

    Args:
        frame: The setting: one number for both axes, or one for each.

    Raises:
        ValueError: If it is neither, or a number is not in (0, 8].
    """
    return check_pair('UnzoomNeck.frame', frame, '(0, 8]')


def head_strides(head: Mapping[str, Any], scope: str) -> list[tuple[float, float]] | None:
    """The strides that a head works at, from its config or the defaults of its class.

    Args:
        head: Config of the head.
        scope: Registry scope of the model.

    Returns:
        (x, y) for each level; None for heads that work at none, as of DETR.
    """
    settings = head_settings(head, scope)
    generators = (settings.get(name) for name in GENERATORS)
    found = next((generator for generator in generators if generator), settings).get('strides')
    if not found:
        return None
    return [tuple(s) if isinstance(s, (list, tuple)) else (s, s) for s in found]


def head_settings(head: Mapping[str, Any], scope: str) -> dict[str, Any]:
    """The settings of a head, its config over the defaults of its class."""
    return {**_defaults(head.get('type'), scope), **head}


def check_frame(
    frame: tuple[float, float],
    backbone: nn.Module | None,
    inner: nn.Module | None,
    arguments: Mapping[str, Any],
) -> None:
    """Refuse a frame at which a head of the model does not work.

    Args:
        frame: Factors (along y, along x).
        backbone: Of the model under construction; nothing is checked without one.
        inner: The stock neck, if there is one.
        arguments: Of the model's ``__init__``.

    Raises:
        ValueError: If the strides of a head are not those of the levels over the frame; the message
            names the right ones.
    """
    if frame == (1, 1) or backbone is None:
        return
    right = _laid_strides(frame, backbone, inner)
    scope = type(arguments['self']).__module__.split('.')[0]
    for name in HEADS:
        head = arguments.get(name)
        strides = head_strides(head, scope) if isinstance(head, Mapping) else None
        if strides is not None and not _alike(strides, right):
            raise ValueError(
                f'UnzoomNeck.frame={frame} lays features at strides (x, y) of {right}, but '
                f'model.{name} works at {strides}: set its strides (those of its anchor or prior '
                'generator, where it has one), or leave UnzoomNeck.frame out. lzu-mm zoomify '
                'writes both'
            )
    roi_head = arguments.get('roi_head')
    if isinstance(roi_head, Mapping) and roi_head.get('bbox_roi_extractor'):
        raise ValueError(
            f'UnzoomNeck.frame={frame} is for dense heads: model.roi_head chooses levels by the '
            'size of an object. Leave UnzoomNeck.frame out'
        )


@torch.no_grad()
def _laid_strides(
    frame: tuple[float, float], backbone: nn.Module, inner: nn.Module | None
) -> list[tuple[float, float]]:
    """Strides of the levels over the frame, by a trial."""
    parts = [part for part in (backbone, inner) if part is not None]
    modes = [(module, module.training) for part in parts for module in part.modules()]
    levels: Any = torch.zeros(1, 3, _TRIAL_SIZE, _TRIAL_SIZE)
    try:
        for part in parts:
            part.eval()
            levels = part(levels)
    finally:
        for module, training in modes:
            module.training = training
    levels = [levels] if isinstance(levels, Tensor) else levels
    canvas = (_TRIAL_SIZE, _TRIAL_SIZE)
    strides = (infer_stride(canvas, (level.shape[2], level.shape[3])) for level in levels)
    return [(x / frame[1], y / frame[0]) for y, x in strides]


def _alike(strides: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> bool:
    return len(strides) == len(right) and all(
        abs(found - wanted) < 0.01 * wanted
        for pair, wanted_pair in zip(strides, right)
        for found, wanted in zip(pair, wanted_pair)
    )


def _defaults(kind: Any, scope: str) -> dict[str, Any]:
    """Defaults of the arguments of a class, its parents' behind its own."""
    if isinstance(kind, str):
        name = kind if '.' in kind else f'{scope}.{kind}'
        kind = ROOT_MODELS.get(name)
    found: dict[str, Any] = {}
    for parent in reversed(getattr(kind, '__mro__', ())):
        if '__init__' in vars(parent):
            parameters = inspect.signature(parent.__init__).parameters.values()
            found.update({p.name: p.default for p in parameters if p.default is not p.empty})
    return found
