"""Passenger cars, lofted from tables.

The same arguments give the same mesh, so meshes are cached and shared.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .materials import BLACK, GLASS, HEADLAMP, PAINT, PLAIN_B, TAILLAMP, WHEEL
from .meshes import Mesh, box, loft, merge, pane_x, patch, quad, soften, wheel

# fmt: off
# Each body: length, width, then stations (x share of the length from the rear, belt height, roof
# height, cabin 0/1 between this station and the next). Where roof > belt the cabin's glass begins.
_BODIES = {
    'sedan': (
        4.6,
        1.82,
        [
            (0.00, 0.80, 0.80, 0),
            (0.03, 0.98, 0.99, 0),
            (0.16, 1.00, 1.04, 2),
            (0.30, 0.98, 1.42, 0),
            (0.33, 0.97, 1.45, 1),
            (0.50, 0.96, 1.47, 0),
            (0.52, 0.96, 1.47, 1),
            (0.62, 0.95, 1.43, 2),
            (0.76, 0.93, 0.97, 0),
            (0.95, 0.78, 0.80, 0),
            (1.00, 0.62, 0.63, 0),
        ],
    ),
    'hatch': (
        4.1,
        1.78,
        [
            (0.00, 0.85, 0.86, 0),
            (0.02, 1.00, 1.02, 2),
            (0.12, 1.00, 1.44, 0),
            (0.16, 0.99, 1.48, 1),
            (0.42, 0.97, 1.52, 0),
            (0.44, 0.97, 1.52, 1),
            (0.60, 0.96, 1.47, 2),
            (0.77, 0.95, 0.99, 0),
            (0.95, 0.82, 0.84, 0),
            (1.00, 0.65, 0.66, 0),
        ],
    ),
    'suv': (
        4.75,
        1.92,
        [
            (0.00, 0.95, 0.96, 0),
            (0.015, 1.10, 1.12, 2),
            (0.08, 1.10, 1.66, 0),
            (0.12, 1.10, 1.71, 1),
            (0.27, 1.09, 1.74, 0),
            (0.29, 1.09, 1.74, 1),
            (0.45, 1.08, 1.75, 0),
            (0.47, 1.08, 1.75, 1),
            (0.62, 1.07, 1.69, 2),
            (0.75, 1.06, 1.12, 0),
            (0.95, 0.98, 1.01, 0),
            (1.00, 0.75, 0.76, 0),
        ],
    ),
    'van': (
        5.2,
        2.0,
        [
            (0.00, 1.10, 1.12, 2),
            (0.015, 1.15, 1.95, 0),
            (0.03, 1.15, 2.05, 1),
            (0.14, 1.15, 2.08, 0),
            (0.60, 1.15, 2.08, 0),
            (0.62, 1.13, 2.06, 1),
            (0.76, 1.12, 1.96, 2),
            (0.90, 1.08, 1.16, 0),
            (0.97, 0.95, 0.98, 0),
            (1.00, 0.75, 0.76, 0),
        ],
    ),
    'pickup': (
        5.4,
        1.95,
        [
            (0.00, 1.05, 1.06, 0),
            (0.36, 1.05, 1.06, 2),
            (0.39, 1.08, 1.76, 0),
            (0.42, 1.08, 1.80, 1),
            (0.52, 1.08, 1.81, 0),
            (0.54, 1.08, 1.81, 1),
            (0.65, 1.07, 1.75, 2),
            (0.76, 1.06, 1.13, 0),
            (0.96, 1.00, 1.03, 0),
            (1.00, 0.78, 0.79, 0),
        ],
    ),
}
# fmt: on
CAR_BODIES = tuple(_BODIES)


def _arch(x: float, y: float, radius: float) -> Mesh:
    """The dark gap around a wheel, as a fan just off the body's side."""
    angle = np.linspace(-0.15, np.pi + 0.15, 13)
    rim = np.stack(
        [x + radius * np.cos(angle), np.full(13, y), radius * 0.86 + radius * np.sin(angle)], -1
    )
    hub = np.repeat(np.array([[x, y, radius * 0.86]]), 13, 0)
    return patch(np.stack([hub, rim]), BLACK)


def wheels(places: list[float], half: float, radius: float, width: float = 0.22) -> list[Mesh]:
    """Pairs of wheels at places along x, flush with the sides at half the car's width."""
    parts = []
    for x in places:
        for side in (-1, 1):
            parts.append(wheel(x, side * (half - width / 2 + 0.015), radius, width, WHEEL, BLACK))
            parts.append(_arch(x, side * (half + 0.004), radius * 1.16))
    return parts


def _lamps(length: float, half: float, front: float, rear: float) -> list[Mesh]:
    """Head and tail lamps, grille and plates on the two ends."""
    x, wide, grille = length / 2 + 0.012, (-half * 0.8, half * 0.8), (-half * 0.5, half * 0.5)
    parts = [
        pane_x(x - 0.02, grille, (front - 0.02, front + 0.12), BLACK, lean=-0.04),
        pane_x(x, wide, (0.25, 0.40), BLACK),
        pane_x(-x - 0.002, wide, (0.25, 0.42), BLACK),
        pane_x(x + 0.004, (-0.26, 0.26), (0.46, 0.57), PLAIN_B),
        pane_x(-x - 0.004, (-0.26, 0.26), (rear - 0.16, rear - 0.05), PLAIN_B),
    ]
    for side in (-half, half):
        y0, y1 = side * 0.58, side * 0.93
        slant = [(x - 0.05, y0, front), (x - 0.14, y1, front)]
        slant += [(x - 0.16, y1, front + 0.15), (x - 0.07, y0, front + 0.13)]
        parts.append(quad(slant, HEADLAMP))
        parts.append(pane_x(-x, (y0, y1), (rear, rear + 0.16), TAILLAMP))
    return parts


@lru_cache(maxsize=None)
def car(body: str) -> Mesh:
    """A passenger car: hull lofted from a table of stations, wheels, lamps, mirrors."""
    length, width, table = _BODIES[body]
    half = width / 2
    xs, sections, codes = [], [], []
    for share, belt, roof, kind in table:
        end = min(share, 1 - share)
        bulge = half * (0.86 + 0.14 * min(1.0, end / 0.10))
        cabin = roof - belt
        top = bulge - 0.04 - 0.36 * min(cabin, 0.6)
        sill = 0.20 if end > 0.02 else 0.30
        xs.append((share - 0.5) * length)
        sections.append(
            [
                (bulge * 0.93, sill),
                (bulge, 0.45),
                (bulge * 0.985, belt - 0.10),
                (bulge * 0.95, belt),
                (top, roof - 0.06 * min(1, cabin * 3)),
                (top * 0.75, roof),
                (0, roof + 0.02),
            ]
        )
        side = {0: PAINT, 1: GLASS, 2: PAINT}[kind]
        crown = GLASS if kind == 2 else PAINT
        codes.append([BLACK, PAINT, PAINT, side, crown, crown])
    hull = soften(loft(np.array(xs), sections, np.array(codes[:-1])), 38.0)
    radius = 0.33 if width < 1.9 else 0.37
    axles = [-length * 0.29, length * 0.315]
    parts = [hull, *wheels(axles, half, radius)]
    parts += _lamps(
        length, half * 0.9, table[-1][2] - 0.01 if width < 1.9 else 0.76, table[1][1] - 0.22
    )
    for x, section in ((xs[0], sections[0]), (xs[-1], sections[-1])):
        parts.append(pane_x(x, (-section[1][0], section[1][0]), (0.3, section[3][1]), PAINT))
    base = max(s[0] for s in table if s[3] == 2)
    for side in (-1, 1):
        mx, my, mz = (base - 0.53) * length, side * (half + 0.08), table[-3][1] + 0.04
        parts.append(box((mx - 0.05, my - 0.09, mz), (mx + 0.06, my + 0.09, mz + 0.13), PAINT))
    parts.append(
        box((-length * 0.46, -half * 0.85, 0.16), (length * 0.46, half * 0.85, 0.35), BLACK)
    )
    return merge(*parts)
