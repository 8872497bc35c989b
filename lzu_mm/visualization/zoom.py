"""The whole zoom of one image on a sheet: the input, where to look, what the network sees."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .images import resize_image
from .labels import draw_labels
from .panels import compose_panels
from .record import ZoomRecord
from .saliency import draw_saliency
from .warp import draw_warp, unzoom_image

__all__ = ['draw_zoom']


def draw_zoom(record: ZoomRecord, palette: Sequence[Sequence[int]], width: int = 640) -> np.ndarray:
    """Draw a record on one sheet.

    Unzoomed, the image must look like the input, sharper than plain downsampling where saliency is
    high; and labels, which the warp does not touch, must fit it.

    Args:
        record: From :func:`record_zoom`.
        palette: RGB of each class.
        width: Width of each of the six panels in pixels.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    h, w = record.zoomed.shape[:2]
    source_h, source_w = record.source.shape[:2]
    unzoomed = unzoom_image(record.zoomed, record.warp)
    shape = (source_h * width // source_w, width)
    labels = record.source_labels
    labelled = bool(labels.outlines) or labels.label_map is not None
    display = [resize_image(image, shape) for image in (record.source, unzoomed, record.uniform)]
    return compose_panels(
        [
            (
                f'input{" with labels" if labelled else ""}, {source_w} x {source_h}',
                draw_labels(display[0], labels, palette),
            ),
            ('saliency', draw_saliency(display[0], record.saliency)),
            ('warp: each cell gets equally many pixels', draw_warp(display[0], record.warp)),
            (f'zoomed: what the network gets, {w} x {h}', record.zoomed),
            (f'unzoomed, {w} x {h}', draw_labels(display[1], record.labels, palette)),
            (f'plain downsampling, {w} x {h}', draw_labels(display[2], record.labels, palette)),
        ],
        width=width,
    )
