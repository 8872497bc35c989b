"""Reading the metainfo of samples, which the MM libraries write in several forms."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

_FLIPPED_DIMS = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}


def scale_factor(metainfo: Mapping[str, Any]) -> tuple[float, float]:
    """Ratios (w, h) of the image to the original; 1 where there is no entry.

    Args:
        metainfo: Its ``scale_factor`` may be one number, (w, h), or (w, h, w, h).
    """
    values = np.ravel(metainfo.get('scale_factor', 1.0))
    return float(values[0]), float(values[1 if len(values) > 1 else 0])


def flipped_dims(metainfo: Mapping[str, Any]) -> tuple[int, ...]:
    """The axes along which an image was flipped, counted from the last; none if it was not."""
    if not metainfo.get('flip', False):
        return ()
    return _FLIPPED_DIMS[metainfo.get('flip_direction') or 'horizontal']
