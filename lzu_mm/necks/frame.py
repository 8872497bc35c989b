"""The frame on which features are laid: finer than the levels, so that heads have finer strides."""

from __future__ import annotations

from typing import Sequence


def frame_of(frame: float | Sequence[float]) -> tuple[float, float]:
    """Cells for each cell of a level, along y and along x.

    Args:
        frame: The setting: one number for both axes, or one for each.

    Raises:
        ValueError: If it is neither, or a number is not above 0.
    """
    factors = (frame, frame) if isinstance(frame, (int, float)) else tuple(frame)
    numbers = all(isinstance(factor, (int, float)) and 0 < factor <= 8 for factor in factors)
    if len(factors) != 2 or not numbers:
        raise ValueError(
            'UnzoomNeck.frame takes a number in (0, 8], or one for each axis (along y, along x); '
            f'got {frame!r}'
        )
    return factors[0], factors[1]
