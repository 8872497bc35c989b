"""Cars, vans, trucks, trailers, buses and an excavator. Each function gives a mesh; the same
arguments give the same mesh, so they are cached and shared.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .materials import (
    BLACK,
    CARGO,
    CHROME,
    GLASS,
    HEADLAMP,
    METAL,
    PAINT,
    PLAIN,
    PLAIN_B,
    TAILLAMP,
    WHEEL,
)
from .meshes import Mesh, box, loft, merge, patch, quad, soften, tube, wheel

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
CAR_BODIES = tuple(_BODIES)


def _wheels(places: list[float], half: float, radius: float, width: float = 0.22) -> list[Mesh]:
    parts = []
    for x in places:
        for side in (-1, 1):
            parts.append(wheel(x, side * (half - width / 2 + 0.015), radius, width, WHEEL, BLACK))
            parts.append(_arch(x, side * (half + 0.004), radius * 1.16))
    return parts


def _arch(x: float, y: float, radius: float) -> Mesh:
    """The dark gap around a wheel, as a fan just off the body's side."""
    angle = np.linspace(-0.15, np.pi + 0.15, 13)
    rim = np.stack(
        [x + radius * np.cos(angle), np.full(13, y), radius * 0.86 + radius * np.sin(angle)], -1
    )
    hub = np.repeat(np.array([[x, y, radius * 0.86]]), 13, 0)
    return patch(np.stack([hub, rim]), BLACK)


def _lamps(length: float, half: float, front: float, rear: float) -> list[Mesh]:
    """Head and tail lamps, grille and plates on the two ends."""
    x = length / 2 + 0.012
    parts = []
    for side in (-1, 1):
        y0, y1 = side * half * 0.58, side * half * 0.93
        parts.append(
            quad(
                [
                    (x - 0.05, y0, front),
                    (x - 0.14, y1, front),
                    (x - 0.16, y1, front + 0.15),
                    (x - 0.07, y0, front + 0.13),
                ],
                HEADLAMP,
            )
        )
        parts.append(
            quad(
                [(-x, y0, rear), (-x, y1, rear), (-x, y1, rear + 0.17), (-x, y0, rear + 0.15)],
                TAILLAMP,
            )
        )
    w = half * 0.5
    parts.append(
        quad(
            [
                (x - 0.02, -w, front - 0.02),
                (x - 0.02, w, front - 0.02),
                (x - 0.06, w, front + 0.12),
                (x - 0.06, -w, front + 0.12),
            ],
            BLACK,
        )
    )
    parts.append(
        quad(
            [
                (x, -half * 0.8, 0.25),
                (x, half * 0.8, 0.25),
                (x, half * 0.8, 0.40),
                (x, -half * 0.8, 0.40),
            ],
            BLACK,
        )
    )
    for end, z in ((x + 0.004, 0.46), (-x - 0.004, rear - 0.16)):
        parts.append(
            quad(
                [(end, -0.26, z), (end, 0.26, z), (end, 0.26, z + 0.11), (end, -0.26, z + 0.11)],
                PLAIN_B,
            )
        )
    parts.append(
        quad(
            [
                (-x - 0.002, -half * 0.85, 0.25),
                (-x - 0.002, half * 0.85, 0.25),
                (-x - 0.002, half * 0.85, 0.42),
                (-x - 0.002, -half * 0.85, 0.42),
            ],
            BLACK,
        )
    )
    return parts


@lru_cache(maxsize=None)
def car(body: str) -> Mesh:
    """A passenger car: hull lofted from a table of stations, wheels, lamps, mirrors."""
    length, width, table = _BODIES[body]
    half = width / 2
    xs, sections, codes = [], [], []
    for i, (share, belt, roof, kind) in enumerate(table):
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
    parts = [hull, *_wheels(axles, half, radius)]
    parts += _lamps(
        length, half * 0.9, table[-1][2] - 0.01 if width < 1.9 else 0.76, table[1][1] - 0.22
    )
    ends = sections[0], sections[-1]
    for x, section in zip((xs[0], xs[-1]), ends):
        y, z = section[1][0], section[3][1]
        parts.append(quad([(x, -y, 0.3), (x, y, 0.3), (x, y * 0.95, z), (x, -y * 0.95, z)], PAINT))
    base = max(s[0] for s in table if s[3] == 2)
    for side in (-1, 1):
        mx, my, mz = (base - 0.53) * length, side * (half + 0.08), table[-3][1] + 0.04
        parts.append(box((mx - 0.05, my - 0.09, mz), (mx + 0.06, my + 0.09, mz + 0.13), PAINT))
    parts.append(
        box((-length * 0.46, -half * 0.85, 0.16), (length * 0.46, half * 0.85, 0.35), BLACK)
    )
    return merge(*parts)


def _cab(x0: float, x1: float, half: float, height: float) -> list[Mesh]:
    """A lorry's cab, its front at x1."""
    parts = [box((x0, -half, 0.45), (x1, half, height), PAINT, taper=(0.06, 0.05))]
    z0, z1 = height * 0.55, height * 0.86
    parts.append(
        quad(
            [
                (x1 + 0.01 - 0.03, -half * 0.9, z0),
                (x1 - 0.02, half * 0.9, z0),
                (x1 - 0.035, half * 0.86, z1),
                (x1 - 0.035, -half * 0.86, z1),
            ],
            GLASS,
        )
    )
    for side in (-1, 1):
        y = side * (half - 0.012)
        parts.append(
            quad(
                [
                    (x1 - 1.15, y, z0),
                    (x1 - 0.18, y, z0),
                    (x1 - 0.28, side * (half - 0.03), z1),
                    (x1 - 1.15, side * (half - 0.03), z1),
                ],
                GLASS,
            )
        )
        parts.append(
            box(
                (x1 - 0.15, side * (half + 0.16) - 0.09, z0 + 0.1),
                (x1 - 0.05, side * (half + 0.16) + 0.09, z1),
                BLACK,
            )
        )
        parts.append(
            quad(
                [
                    (x1 + 0.01, side * half * 0.6, 0.75),
                    (x1 + 0.01, side * half * 0.92, 0.75),
                    (x1 + 0.01, side * half * 0.92, 0.95),
                    (x1 + 0.01, side * half * 0.6, 0.95),
                ],
                HEADLAMP,
            )
        )
    parts.append(
        quad(
            [
                (x1 + 0.012, -half * 0.55, 0.7),
                (x1 + 0.012, half * 0.55, 0.7),
                (x1 + 0.012, half * 0.55, 1.25),
                (x1 + 0.012, -half * 0.55, 1.25),
            ],
            BLACK,
        )
    )
    parts.append(box((x1 - 0.2, -half, 0.35), (x1 + 0.06, half, 0.62), BLACK))
    return parts


def _tail(x: float, half: float, z: float) -> list[Mesh]:
    parts = [box((x - 0.02, -half * 0.95, z - 0.1), (x + 0.06, half * 0.95, z), BLACK)]
    for side in (-1, 1):
        parts.append(
            quad(
                [
                    (x - 0.03, side * half * 0.62, z),
                    (x - 0.03, side * half * 0.95, z),
                    (x - 0.03, side * half * 0.95, z + 0.16),
                    (x - 0.03, side * half * 0.62, z + 0.16),
                ],
                TAILLAMP,
            )
        )
    return parts


@lru_cache(maxsize=None)
def truck(kind: str) -> Mesh:
    """A box lorry ('box'), a tipper ('tipper') or a semi-trailer's tractor ('tractor')."""
    length, half, cab_height = {
        'box': (7.6, 1.2, 2.6),
        'tipper': (7.2, 1.22, 2.7),
        'tractor': (5.9, 1.22, 3.2),
    }[kind]
    front = length / 2
    parts = _cab(front - 1.9, front, half, cab_height)
    parts.append(box((-front, -half * 0.75, 0.55), (front - 1.8, half * 0.75, 0.95), BLACK))
    if kind == 'box':
        parts.append(box((-front, -half, 0.95), (front - 2.05, half, 3.35), CARGO))
    elif kind == 'tipper':
        parts.append(
            box(
                (-front, -half, 1.0),
                (front - 2.1, half, 2.35),
                PLAIN,
                top=BLACK,
                taper=(-0.1, -0.03),
            )
        )
    axles = (
        [front - 1.25, -front + 1.6]
        if kind == 'box'
        else [front - 1.3, -front + 1.2, -front + 2.45]
    )
    parts += _wheels(axles, half, 0.5, 0.32)
    parts += _tail(-front, half, 0.72)
    return merge(*parts)


@lru_cache(maxsize=None)
def trailer() -> Mesh:
    """A semi-trailer, its kingpin at the front."""
    length, half = 10.4, 1.25
    parts = [
        box((-length / 2, -half, 1.1), (length / 2, half, 3.75), CARGO),
        box((-length / 2, -half * 0.8, 0.85), (length / 2, half * 0.8, 1.1), BLACK),
        box((length / 2 - 3.4, -half * 0.6, 0.1), (length / 2 - 3.2, half * 0.6, 0.9), METAL),
    ]
    parts += _wheels([-length / 2 + 1.1, -length / 2 + 2.3, -length / 2 + 3.5], half, 0.5, 0.32)
    parts += _tail(-length / 2, half, 0.8)
    return merge(*parts)


@lru_cache(maxsize=None)
def bus(kind: str) -> Mesh:
    """A city bus ('city') or a coach ('coach')."""
    length, half, height = {'city': (11.6, 1.26, 3.05), 'coach': (12.2, 1.27, 3.45)}[kind]
    low, high = {'city': (1.25, 2.5), 'coach': (1.75, 2.95)}[kind]
    front = length / 2
    parts = [
        box((-front, -half, 0.32), (front, half, height), PAINT, taper=(0.08, 0.06)),
        box((-front * 0.5, -half * 0.6, height), (front * 0.3, half * 0.6, height + 0.22), PLAIN_B),
    ]
    parts.append(
        quad(
            [
                (front + 0.012, -half * 0.94, low - 0.15),
                (front + 0.012, half * 0.94, low - 0.15),
                (front - 0.05, half * 0.92, high + 0.05),
                (front - 0.05, -half * 0.92, high + 0.05),
            ],
            GLASS,
        )
    )
    parts.append(
        quad(
            [
                (front - 0.02, -half * 0.7, high + 0.1),
                (front - 0.02, half * 0.7, high + 0.1),
                (front - 0.04, half * 0.7, high + 0.38),
                (front - 0.04, -half * 0.7, high + 0.38),
            ],
            BLACK,
        )
    )
    parts.append(
        quad(
            [
                (-front - 0.01, -half * 0.85, low + 0.2),
                (-front - 0.01, half * 0.85, low + 0.2),
                (-front + 0.04, half * 0.85, high),
                (-front + 0.04, -half * 0.85, high),
            ],
            GLASS,
        )
    )
    for side in (-1, 1):
        y = side * (half + 0.006)
        start = -front + 0.35
        while start < front - 0.6:
            stop = min(start + 1.42, front - 0.15)
            parts.append(
                quad(
                    [
                        (start, y, low),
                        (stop, y, low),
                        (stop, y - side * 0.04, high),
                        (start, y - side * 0.04, high),
                    ],
                    GLASS,
                )
            )
            start += 1.52
        parts.append(
            quad(
                [
                    (-front + 0.1, y, 0.55),
                    (front - 0.1, y, 0.55),
                    (front - 0.1, y - side * 0.005, 0.80),
                    (-front + 0.1, y - side * 0.005, 0.80),
                ],
                PLAIN_B,
            )
        )
        parts.append(
            quad(
                [
                    (front + 0.015, side * half * 0.65, 0.62),
                    (front + 0.015, side * half * 0.93, 0.62),
                    (front + 0.012, side * half * 0.93, 0.84),
                    (front + 0.012, side * half * 0.65, 0.84),
                ],
                HEADLAMP,
            )
        )
    for x in (-front * 0.1, front - 1.9):
        y = -(half + 0.012)
        parts.append(
            quad(
                [(x, y, 0.45), (x + 1.1, y, 0.45), (x + 1.1, y + 0.05, high), (x, y + 0.05, high)],
                GLASS,
            )
        )
        parts.append(
            quad(
                [
                    (x + 0.51, y - 0.004, 0.45),
                    (x + 0.58, y - 0.004, 0.45),
                    (x + 0.58, y + 0.046, high),
                    (x + 0.51, y + 0.046, high),
                ],
                BLACK,
            )
        )
    parts += _wheels([-front + 2.9, front - 2.7], half, 0.48, 0.3)
    parts += _tail(-front, half, 0.62)
    return merge(*parts)


@lru_cache(maxsize=None)
def excavator() -> Mesh:
    """A construction vehicle: tracks, cab, counterweight, boom, stick and bucket."""
    parts = []
    for side in (-1, 1):
        parts.append(
            box(
                (-1.9, side * 1.0 - 0.28, 0.05),
                (1.9, side * 1.0 + 0.28, 0.9),
                BLACK,
                taper=(0.25, 0.0),
            )
        )
    parts.append(box((-2.2, -1.25, 1.0), (1.5, 1.25, 1.95), PLAIN, taper=(0.05, 0.05)))
    parts.append(box((-2.5, -1.25, 1.05), (-1.5, 1.25, 2.1), BLACK, taper=(0.1, 0.1)))
    parts.append(box((0.1, 0.25, 1.9), (1.5, 1.2, 2.95), PLAIN, taper=(0.1, 0.04)))
    parts.append(
        quad(
            [(1.505, 0.32, 1.95), (1.505, 1.12, 1.95), (1.41, 1.1, 2.85), (1.41, 0.34, 2.85)], GLASS
        )
    )
    for y, lean in ((1.205, -0.03), (0.245, 0.03)):
        parts.append(
            quad(
                [(0.25, y, 2.0), (1.4, y, 2.0), (1.34, y + lean, 2.85), (0.25, y + lean, 2.85)],
                GLASS,
            )
        )
    parts.append(tube((1.2, -0.35, 1.6), (2.6, -0.35, 3.9), 0.24, 0.26, PLAIN, 6))
    parts.append(tube((2.6, -0.35, 3.9), (4.0, -0.35, 3.5), 0.24, 0.18, PLAIN, 6))
    parts.append(tube((4.0, -0.35, 3.5), (4.1, -0.35, 1.2), 0.18, 0.13, PLAIN, 6))
    parts.append(tube((1.5, -0.35, 1.6), (2.7, -0.35, 3.2), 0.07, 0.07, CHROME, 6))
    parts.append(box((3.5, -0.9, 0.55), (4.4, 0.2, 1.3), BLACK, taper=(0.2, 0.0)))
    return merge(*parts)
