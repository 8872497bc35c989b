"""Saliency without data, for a mounted camera: what is far away lies near the horizon.

The simple form of the two-plane prior (Ghosh et al., "Learned Two-Plane Perspective Prior based
Image Resampling for Efficient Object Detection", CVPR 2023): saliency falls off exponentially from
the vanishing line, at one rate on the ground below it, at another on the plane of signs, lights and
tops above it.

Convention: rows and columns are shares of the image's height and width in [0, 1]; cell (i, j) of
the map has its centre at row (i + 1/2) / h_S and column (j + 1/2) / w_S.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...checks import check_grid_shape, check_number

__all__ = ['check_share', 'horizon_row', 'horizon_saliency']


def horizon_row(pitch: float, focal: float, centre: float) -> float:
    """The row of the horizon in the image of a camera without roll, centre - focal tan(pitch).

    Args:
        pitch: How far the camera looks down, degrees in (-90, 90); negative looks up.
        focal: Vertical focal length, as a share of the image's height, positive.
        centre: Row of the principal point.

    Returns:
        The row, as a share of the image's height; outside of (0, 1) where no horizon is seen.

    Raises:
        ValueError: If the pitch or the focal length is out of range.

    Example:
        >>> round(horizon_row(pitch=5, focal=1.4, centre=0.5), 3)  # it looks down: horizon goes up
        0.378
    """
    check_number('saliency.pitch', pitch, '(-90, 90)', ' degrees')
    check_number('saliency.focal', focal, '(0, inf)', " of the image's height")
    check_number('saliency.centre', centre, '(-inf, inf)', " of the image's height")
    return centre - focal * math.tan(math.radians(pitch))


def horizon_saliency(
    row: float,
    grid_shape: tuple[int, int] = (31, 51),
    falloff_below: float = 0.2,
    falloff_above: float = 0.1,
    column: float | None = None,
    falloff_sides: float = 0.3,
    floor: float = 0.1,
) -> Tensor:
    """Saliency that falls off exponentially from the horizon.

    Args:
        row: Row of the horizon; it may lie outside of the image.
        grid_shape: (h_S, w_S) of the map, at least 2 each.
        falloff_below: Share of the height over which saliency falls to 1/e on the ground, above 0.
        falloff_above: The same above the horizon.
        column: Column of the vanishing point in (0, 1), from which saliency falls off to both
            sides; None looks at all columns alike.
        falloff_sides: Share of the width over which saliency falls to 1/e, above 0.
        floor: Share of the mass that is uniform, in [0, 1].

    Returns:
        (h_S, w_S) float32, summing to 1.

    Raises:
        ValueError: If a setting is out of range.

    Convention:
        Rows and columns are shares in [0, 1] of the image's height and width, from the top left.
        Cell (i, j) of the map has its centre at row (i + 0.5)/h_S, column (j + 0.5)/w_S.

    Example:
        >>> saliency = horizon_saliency(row=0.5, grid_shape=(9, 16))
        >>> int(saliency.sum(dim=1).argmax())  # of the nine rows, the middle one
        4
    """
    _check_map(grid_shape, falloff_below, falloff_above, column, falloff_sides, floor)
    rows, columns = ((torch.arange(n) + 0.5) / n for n in grid_shape)
    below = rows - row
    # Softmax: exponentials as shares of their sum, which do not vanish for a horizon far outside.
    down = torch.where(below > 0, -below / falloff_below, below / falloff_above).softmax(0)
    aside = torch.zeros_like(columns) if column is None else (columns - column).abs()
    across = (-aside / falloff_sides).softmax(0)
    return (1 - floor) * down[:, None] * across + floor / (grid_shape[0] * grid_shape[1])


def _check_map(
    grid_shape: tuple[int, int],
    falloff_below: float,
    falloff_above: float,
    column: float | None,
    falloff_sides: float,
    floor: float,
) -> None:
    falloffs = {'below': falloff_below, 'above': falloff_above, 'sides': falloff_sides}
    for name, value in falloffs.items():
        check_number(f'saliency.falloff_{name}', value, '[1e-6, 1e6]')
    if column is not None:
        check_share('column', column)
    check_number('saliency.floor', floor, '[0, 1]')
    check_grid_shape(grid_shape)


def check_share(name: str, value: float | None) -> None:
    """Check a setting that is a share of the image, between its edges."""
    check_number(f'saliency.{name}', value, '(0, 1)', ', a share of the image and not in pixels')
