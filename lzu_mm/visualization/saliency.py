"""A saliency map as a heat map over its image."""

from __future__ import annotations

import cv2
import numpy as np
from torch import Tensor

__all__ = ['draw_saliency']

_VEIL = 0.25  # opacity of the heat map where nothing is salient
_HEAT = 0.75  # and where the saliency is highest


def draw_saliency(image: np.ndarray, saliency: Tensor | np.ndarray) -> np.ndarray:
    """Overlay a heat map on an image: dark where saliency is low, bright where it peaks.

    Args:
        image: (h, w, 3) uint8, BGR.
        saliency: (h_S, w_S), non-negative, of the whole image.

    Returns:
        (h, w, 3) uint8, BGR. A uniform map gets one medium colour.
    """
    values = np.asarray(saliency.detach().cpu() if isinstance(saliency, Tensor) else saliency)
    values = values.astype(np.float32)
    # A map that barely departs from uniform must not look like one that peaks.
    values = values / max(values.max(), 2 * values.mean(), np.finfo(np.float32).tiny)
    h, w = image.shape[:2]
    smooth = cv2.resize(values, (w, h), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    heat = cv2.applyColorMap((255 * smooth).astype(np.uint8), cv2.COLORMAP_INFERNO)
    opacity = (_VEIL + (_HEAT - _VEIL) * smooth)[..., None]
    return (image * (1 - opacity) + heat * opacity).astype(np.uint8)
