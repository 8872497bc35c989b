"""The whole zoom of one image on a sheet: what goes in, where to look, what the network gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from ..data_preprocessors import ZoomMixin
from ..warps import Warp, zoom_image
from .images import network_image, to_numpy
from .labels import Labels, draw_labels, labels_of_sample
from .panels import compose_panels
from .saliency import draw_saliency
from .warp import draw_warp, unzoom_image

__all__ = ['ZoomRecord', 'draw_zoom', 'record_zoom']


@dataclass
class ZoomRecord:
    """What a zoom data preprocessor did to one image.

    Attributes:
        source: (H, W, 3) uint8 BGR, as the pipeline left it.
        zoomed: (h, w, 3) uint8 BGR, as the network gets it.
        uniform: (h, w, 3) uint8 BGR, plain downsampling to the same size.
        saliency: (h_S, w_S).
        warp: A batch of one; None for the identity.
        source_labels: Labels before the zoom.
        labels: Labels after it, as losses see them.
    """

    source: np.ndarray
    zoomed: np.ndarray
    uniform: np.ndarray
    saliency: Tensor
    warp: Warp | None
    source_labels: Labels
    labels: Labels


@torch.no_grad()
def record_zoom(preprocessor: ZoomMixin, item: dict[str, Any], training: bool) -> ZoomRecord:
    """Passes one item of a dataset through a zoom data preprocessor, and notes what happens.

    Args:
        preprocessor: Of the model, as built from its config.
        item: What the dataset's pipeline gives: ``inputs`` and ``data_samples``.
        training: Whether the item is one to train on.

    Returns:
        The record.
    """
    maps: list[Tensor] = []
    hook = preprocessor.saliency.register_forward_hook(lambda *call: maps.append(call[-1]))
    data = pseudo_collate([item])
    source = preprocessor.get_images(data)[0]
    try:
        output = preprocessor(data, training)
    finally:
        hook.remove()
    batch = preprocessor.link.batch
    assert batch is not None
    canvas = preprocessor.get_canvas(output)[0]
    return ZoomRecord(
        source=to_numpy(source),
        zoomed=network_image(canvas, batch.content[0], preprocessor),
        uniform=to_numpy(zoom_image(source, None, batch.content[0])),
        saliency=maps[0][0, 0] if maps else torch.ones(2, 2),
        warp=batch.warp,
        source_labels=labels_of_sample(item['data_samples'], training),
        labels=labels_of_sample(output['data_samples'][0], training),
    )


def draw_zoom(record: ZoomRecord, palette: Sequence[Sequence[int]], width: int = 640) -> np.ndarray:
    """Draws a record on one sheet.

    Unzoomed, the image must look like the input, sharper than plain downsampling where saliency is
    high; and labels, which never learn of the warp, must fit it.

    Args:
        record: Of :func:`record_zoom`.
        palette: RGB of each class.
        width: Of each of the six panels, pixels.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    h, w = record.zoomed.shape[:2]
    source_h, source_w = record.source.shape[:2]
    unzoomed = unzoom_image(record.zoomed, record.warp)
    shape = (source_h * width // source_w, width)
    display = [_resize(image, shape) for image in (record.source, unzoomed, record.uniform)]
    return compose_panels(
        [
            (
                f'input with labels, {source_w} x {source_h}',
                draw_labels(display[0], record.source_labels, palette),
            ),
            ('saliency', draw_saliency(display[0], record.saliency)),
            ('warp: each cell gets equally many pixels', draw_warp(display[0], record.warp)),
            (f'zoomed: what the network gets, {w} x {h}', record.zoomed),
            (f'unzoomed, {w} x {h}', draw_labels(display[1], record.labels, palette)),
            (f'plain downsampling, {w} x {h}', draw_labels(display[2], record.labels, palette)),
        ],
        width=width,
    )


def _resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes for display, anti-aliased when the image shrinks."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(
        pixels, size=shape, mode='bicubic', antialias=True, align_corners=False
    )
    return to_numpy(resized[0])
