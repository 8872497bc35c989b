"""Several pictures on one sheet, each with a title."""

from __future__ import annotations

from typing import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ['compose_panels']

_BACKGROUND = (30, 27, 24)  # RGB, as is the text
_TEXT = (238, 234, 228)
_MARGIN = 14


def compose_panels(
    panels: Sequence[tuple[str, np.ndarray]], columns: int = 3, width: int = 640
) -> np.ndarray:
    """Lay out pictures in rows.

    Args:
        panels: Titles and pictures, (h, w, 3) uint8 BGR, of any size.
        columns: Panels per row.
        width: Width of a panel in pixels. All panels get the height of the first picture at this
            width; the others are fitted inside and keep their aspect ratio.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    first = panels[0][1]
    height = round(width * first.shape[0] / first.shape[1])
    font_size = max(width // 32, 10)
    title = round(font_size * 1.7)
    rows = -(-len(panels) // columns)
    sheet = Image.new(
        'RGB',
        (
            columns * (width + _MARGIN) + _MARGIN,
            rows * (height + title + _MARGIN) + _MARGIN,
        ),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(font_size)
    for index, (text, picture) in enumerate(panels):
        x = _MARGIN + index % columns * (width + _MARGIN)
        y = _MARGIN + index // columns * (height + title + _MARGIN)
        draw.text((x, y), text, _TEXT, font)
        fitted = _fit(picture, height, width)
        offset = ((width - fitted.shape[1]) // 2, (height - fitted.shape[0]) // 2)
        sheet.paste(Image.fromarray(fitted[..., ::-1]), (x + offset[0], y + title + offset[1]))
    return np.ascontiguousarray(np.asarray(sheet)[..., ::-1])


def _fit(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    ratio = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(round(picture.shape[1] * ratio), 1), max(round(picture.shape[0] * ratio), 1))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC)
