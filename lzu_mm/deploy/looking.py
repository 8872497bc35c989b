"""Saliency that looks at every image anew, in forms that a graph can hold.

Detections of the frame before come in as an input of fixed length, so that what is left out has a
weight of zero; and what ONNX has no operation for is written with those that it has.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Iterator

import torch
from torch import Tensor

from ..frames import source_frames
from ..saliency import (
    BaseSaliency,
    CombinedSaliency,
    FixedSaliency,
    HorizonSaliency,
    LearnedSaliency,
    TemporalSaliency,
    UniformSaliency,
)
from ..saliency.temporal import resize_saliency
from ..warps import bilinear, piecewise
from ..warps.area import AreaWeights, weigh
from .rewrites import attribute

__all__ = ['check_saliency', 'max_gap', 'static_saliency']

_KNOWN = (FixedSaliency, HorizonSaliency, LearnedSaliency, UniformSaliency)


def check_saliency(saliency: BaseSaliency) -> None:
    """Refuse saliency of which it is not known that a trace holds all that it looks at.

    Raises:
        ValueError: If there is such a module.
    """
    if isinstance(saliency, CombinedSaliency):
        for member in saliency.members:
            check_saliency(member)
    elif isinstance(saliency, TemporalSaliency):
        check_saliency(saliency.prior)
    elif isinstance(saliency, HorizonSaliency) and saliency.row is None:
        raise ValueError(
            "HorizonSaliency reads each image's cam2img to find the horizon, which is not "
            'exported: set saliency.row, or saliency.focal with saliency.pitch'
        )
    elif not isinstance(saliency, _KNOWN):
        raise ValueError(
            f'{type(saliency).__name__} looks at every image anew, and may do so in ways that a '
            'trace does not see: only TemporalSaliency, LearnedSaliency and their kin are exported '
            'of those that do'
        )


def max_gap(model: torch.nn.Module) -> int | None:
    """The largest step between frames that counts as the next; None without temporal saliency.

    Raises:
        ValueError: If parts of the model differ in it.
    """
    gaps = {m.memory.max_gap for m in model.modules() if isinstance(m, TemporalSaliency)}
    if len(gaps) > 1:
        raise ValueError(
            f'the model has TemporalSaliency of several max_gap {sorted(gaps)}, but a file has one '
            "input 'previous': set saliency.max_gap alike"
        )
    return gaps.pop() if gaps else None


@contextmanager
def static_saliency(model: torch.nn.Module) -> Iterator[None]:
    """While this is entered, a trace of the model can hold its saliency and its warps.

    Samples then bring ``previous``, (K, 5): boxes on the source and their scores, 0 where there are
    no more.
    """
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(attribute(piecewise, '_segment_of', _segment_of))
        enter(attribute(bilinear, 'segments_of_axis', _segments_of_axis))
        enter(attribute(bilinear, '_bands_of_points', _bands_of_points))
        for module in model.modules():
            if isinstance(module, TemporalSaliency):
                enter(attribute(module, 'forward', partial(_look_back, module)))
                enter(attribute(module, 'remember', lambda *_: None))
            if isinstance(module, LearnedSaliency):
                enter(attribute(module, '_shrink', partial(_shrink, module)))
        yield


def _look_back(
    saliency: TemporalSaliency, images: list[Tensor], samples: Any, training: bool
) -> Tensor:
    """``TemporalSaliency.forward`` of one image."""
    frame = source_frames(images, samples)[0]
    prior = resize_saliency(saliency.prior(images, samples, training), saliency.grid_shape)
    boxes, scores = samples[0].previous.split((4, 1), dim=1)
    scores = scores[:, 0]
    chosen = (scores >= saliency.score_thr) & (scores > 0) & boxes.isfinite().all(dim=1)
    # The KDE leaves out boxes that are not finite.
    boxes = torch.where(chosen[:, None], frame.boxes_to_original(boxes), torch.nan)
    weights = torch.where(chosen, scores, 0.0) if saliency.weight_by_score else None
    found = saliency.kde(boxes, frame.original, weights)[None, None]
    return torch.where(chosen.any(), found, prior)


def _shrink(saliency: LearnedSaliency, image: Tensor) -> Tensor:
    """``LearnedSaliency._shrink`` by products where pixels of the copy are no whole blocks."""
    if not any(n % m for n, m in zip(image.shape[1:], saliency.input_size)):
        return LearnedSaliency._shrink(saliency, image)
    rows, columns = (_means(n, m) for n, m in zip(image.shape[1:], saliency.input_size))
    small = weigh(image[None].float(), AreaWeights(rows, columns))
    low, high = saliency.value_range
    return (small - low) / ((high - low) / 2) - 1


def _means(count: int, cells: int) -> Tensor:
    """What ``F.interpolate(mode='area')`` takes of an axis of n pixels: (1, m, n)."""
    cell, index = torch.arange(cells)[:, None], torch.arange(count)
    inside = (index >= cell * count // cells) & (index < -((cell + 1) * -count // cells))
    return (inside / inside.sum(dim=1, keepdim=True))[None]


def _segment_of(values: Tensor, target: Tensor) -> Tensor:
    """``piecewise._segment_of`` by counting: ONNX searches no sorted values."""
    below = (values[..., None, :] < target[..., :, None]).sum(dim=-1)
    return (below - 1).clamp(0, values.shape[-1] - 2)


def _segments_of_axis(values: Tensor, target: Tensor, dim: int) -> Tensor:
    """``piecewise.segments_of_axis`` by counting."""
    inner = values.narrow(dim, 1, values.shape[dim] - 2)
    if dim == 1:
        return (inner[:, None] <= target[:, :, None, None]).sum(dim=2)
    return (inner[:, :, None] <= target[:, None, :, None]).sum(dim=3)


def _bands_of_points(levels: Tensor, target: Tensor) -> Tensor:
    """``bilinear._bands_of_points`` by counting."""
    return ((levels < target[:, None]).sum(dim=1) - 1).clamp(0, levels.shape[1] - 2)
