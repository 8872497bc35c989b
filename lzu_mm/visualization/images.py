"""Images to draw on: the mean of a dataset, and what a network is given."""

from __future__ import annotations

from typing import Any

import cv2
import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.ground_truth import base_datasets, image_path_of

__all__ = ['mean_image', 'network_image', 'resize_image', 'shown_range', 'to_numpy']


def mean_image(dataset: Any, count: int = 24, width: int = 960) -> np.ndarray:
    """Average a few images, evenly spread over a dataset.

    Args:
        dataset: A dataset of any MM library, wrapped or not; not empty.
        count: Number of images, at most.
        width: Width of the mean image in pixels.

    Returns:
        (h, width, 3) uint8, BGR, with the aspect ratio of the first image.
    """
    all_images = [(inner, index) for inner in base_datasets(dataset) for index in range(len(inner))]
    chosen = np.linspace(0, len(all_images) - 1, min(count, len(all_images))).round().astype(int)
    total: Any = None
    for inner, index in (all_images[k] for k in chosen):
        path = image_path_of(inner.get_data_info(index))
        image = mmcv.imread(path, backend_args=getattr(inner, 'backend_args', None))
        if total is None:
            total = np.zeros((round(image.shape[0] * width / image.shape[1]), width, 3))
        shrinks = image.shape[1] > width
        total += cv2.resize(
            image,
            total.shape[1::-1],
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
    return (total / len(chosen)).astype(np.uint8)


def network_image(
    canvas: Tensor,
    content: tuple[int, int],
    preprocessor: Any,
    shown: tuple[float, float] = (0, 255),
) -> np.ndarray:
    """Undoes the normalisation of a network's input.

    Args:
        canvas: (C, H, W), as the preprocessor gives it.
        content: (h, w) of the image on the canvas.
        preprocessor: A stock or zoom data preprocessor.
        shown: Values to show as black and white; see :func:`shown_range`.

    Returns:
        (h, w, 3) uint8, BGR.
    """
    if preprocessor._enable_normalize:
        canvas = canvas * preprocessor.std + preprocessor.mean
    # MMSegmentation and MMEngine spell it differently.
    swapped = (getattr(preprocessor, name, False) for name in _CHANNEL_FLAGS)
    if any(swapped):
        canvas = canvas.flip(0)
    return to_numpy(canvas[:, : content[0], : content[1]], shown)


_CHANNEL_FLAGS = ('_channel_conversion', 'channel_conversion')


def resize_image(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes for display, anti-aliased when the image shrinks.

    Args:
        image: (H, W, 3) uint8.
        shape: (h, w).

    Returns:
        (h, w, 3) uint8.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    resized = F.interpolate(pixels, shape, mode='bicubic', antialias=True, align_corners=False)
    return to_numpy(resized[0])


def shown_range(image: Tensor) -> tuple[float, float]:
    """The values of an image to show as black and white: its own, where it is not of 8 bits.

    Args:
        image: (C, H, W) of any type, before normalisation.

    Returns:
        0 and 255 for 8 bits, and for numbers that look like it; else the least and the largest.
    """
    if image.dtype == torch.uint8:
        return 0, 255
    least, most = float(image.float().min()), float(image.float().max())
    # Colour jitter leaves numbers a little beyond.
    if image.is_floating_point() and 1 < most < 512 and least > -256:
        return 0, 255
    return least, most if most > least else least + 1


def to_numpy(image: Tensor, shown: tuple[float, float] = (0, 255)) -> np.ndarray:
    """An image to look at.

    Args:
        image: (C, h, w). Grayscale for one channel or two; else the first three are shown.
        shown: Values to show as black and white.

    Returns:
        (h, w, 3) uint8.
    """
    values = image.detach().cpu().float()
    values = values[:3] if len(values) > 2 else values[:1].expand(3, -1, -1)
    low, high = shown
    values = (values - low) * (255 / (high - low))
    rounded = values.round().clamp(0, 255).byte()
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())
