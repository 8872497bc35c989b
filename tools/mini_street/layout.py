"""What stands along a street: ground, roads, houses, trees, lamps, signs and signals."""

from __future__ import annotations

import numpy as np

from . import furniture as F
from .materials import PARAMETERS
from .meshes import Mesh
from .road import KERB_HEIGHT, SIDE_STREET, Crossing, Road
from .world import Thing

_WALLS = [
    (0.26, 0.10, 0.07),
    (0.33, 0.17, 0.11),
    (0.48, 0.40, 0.29),
    (0.58, 0.51, 0.38),
    (0.62, 0.60, 0.55),
    (0.33, 0.33, 0.34),
    (0.55, 0.40, 0.20),
    (0.42, 0.33, 0.28),
    (0.36, 0.42, 0.44),
    (0.50, 0.30, 0.22),
]
_TRIMS = [(0.55, 0.54, 0.52), (0.30, 0.29, 0.28), (0.10, 0.09, 0.09), (0.40, 0.33, 0.24)]
_ROOFS = [(0.28, 0.10, 0.06), (0.12, 0.11, 0.11), (0.20, 0.15, 0.12), (0.17, 0.18, 0.20)]
_AWNINGS = [
    (0.35, 0.05, 0.04),
    (0.04, 0.16, 0.08),
    (0.05, 0.08, 0.25),
    (0.45, 0.40, 0.32),
    (0.30, 0.16, 0.05),
]
_GREENS = [
    (0.055, 0.115, 0.025),
    (0.075, 0.13, 0.03),
    (0.045, 0.095, 0.03),
    (0.10, 0.13, 0.035),
    (0.15, 0.11, 0.03),
]
_GREY = (0.22, 0.23, 0.24)


def colours(
    rng: np.random.Generator, first: tuple, second: tuple = _GREY, rest: tuple = ()
) -> np.ndarray:
    """A row of material parameters: two colours, a seed, the rest."""
    row = np.zeros(PARAMETERS)
    row[0:3], row[3:6] = np.multiply(first, rng.uniform(0.88, 1.12)), second
    row[6] = rng.integers(1, 10000)
    row[7 : 7 + len(rest)] = rest
    return row


def pick(rng: np.random.Generator, options: list) -> tuple:
    """One of a list."""
    return options[int(rng.integers(len(options)))]


def lay_ground(rng: np.random.Generator, road: Road, style: str) -> list[Thing]:
    """Land, carriageways, sidewalks and the far rim."""
    lawn = pick(rng, [(0.09, 0.14, 0.035), (0.12, 0.15, 0.05), (0.13, 0.12, 0.05)])
    base = lawn if style != 'town' else (0.21, 0.20, 0.19)
    tar = np.full(3, rng.uniform(0.075, 0.135)) * rng.uniform(0.95, 1.05, 3)
    things = [
        Thing(
            'terrain', [F.ground(700.0)], colours=colours(rng, base, (0.20, 0.16, 0.11)), fixed=True
        )
    ]
    surface = colours(rng, tuple(tar))
    details = road.parameters()
    surface[3:6] = details[:3]
    surface[7] = float(rng.random() < 0.5)
    surface[9 : 10 + 2 * len(road.crossings)] = details[6:]
    things.append(Thing('road', [road.surface()], colours=surface, fixed=True))
    for c in road.crossings:
        side = surface.copy()
        side[3:6] = c.half, max(1, int(c.half // 3.4)), 3.1
        side[9:12] = 1, 0.0, road.half
        side[12:] = 0
        things.append(Thing('road', [road.side_surface(c)], colours=side, fixed=True))
    slab = colours(rng, pick(rng, [(0.36, 0.35, 0.33), (0.30, 0.30, 0.30), (0.40, 0.36, 0.31)]))
    things.append(Thing('sidewalk', [road.pavements()], colours=slab, fixed=True))
    rim = F.hill(600.0, rng.uniform(8, 26, 61))
    things.append(Thing('vegetation', [rim], colours=colours(rng, (0.06, 0.09, 0.035)), fixed=True))
    return things


def _house(
    rng: np.random.Generator, style: str, width: float, depth: float
) -> tuple[Mesh, np.ndarray]:
    """A building and its colours."""
    storey = {'town': 3.5, 'office': 3.7, 'suburb': 2.8}[style]
    floors = {
        'town': rng.integers(2, 6),
        'office': rng.integers(4, 14),
        'suburb': rng.integers(1, 3),
    }[style]
    height = storey * floors + (0.6 if style != 'suburb' else 0.3)
    kind = {'town': 'town', 'office': 'office', 'suburb': 'house'}[style]
    wall = pick(rng, _WALLS)
    brick = float(wall[0] > 1.6 * wall[2] and rng.random() < 0.7)
    glassy = style == 'office' and rng.random() < 0.6
    bays = max(1, round(width / (rng.uniform(1.6, 2.2) if glassy else rng.uniform(2.3, 3.4))))
    share = (0.88, 0.72) if glassy else (rng.uniform(0.36, 0.55), rng.uniform(0.42, 0.58))
    row = colours(
        rng,
        wall,
        pick(rng, _TRIMS),
        (storey, width / bays, *share, brick, float(style == 'town'), height),
    )
    row[14:17] = pick(rng, _ROOFS if style == 'suburb' else _AWNINGS)
    return F.building(width, depth, height, rng, kind), row


def line_with_houses(rng: np.random.Generator, road: Road, style: str) -> list[Thing]:
    """Rows of houses along the road and its side streets; gaps get trees, hedges and fences."""
    things = []
    front = road.half + road.pavement + {'town': 0.0, 'office': 3.0, 'suburb': 6.5}[style]

    def row(begin: float, end: float, place, gap: float) -> None:
        at = begin
        while at < end - 6:
            width = min(
                float(rng.uniform(9, 22) if style != 'suburb' else rng.uniform(9, 14)), end - at
            )
            if rng.random() < gap:
                place(at, width, None)
            elif width >= 6:
                depth = float(rng.uniform(10, 15) if style != 'suburb' else rng.uniform(8, 10))
                place(at, width, *_house(rng, style, width, depth))
            at += width + float(
                rng.choice([0.0, 0.0, 3.0]) if style != 'suburb' else rng.uniform(3, 8)
            )

    def along(side: int):
        def place(
            at: float, width: float, mesh: Mesh | None, row_colours: np.ndarray | None = None
        ) -> None:
            turn = 0.0 if side > 0 else np.pi
            s = at if side > 0 else at + width
            if mesh is None:
                things.extend(_green(rng, side, at, width, front))
                return
            middle = at + width / 2
            bend = float(road.heading(middle) - road.heading(s))
            things.append(
                Thing('building', [mesh], s, side * front, turn + bend, colours=row_colours)
            )

        return place

    def aside(c: Crossing, side: int, way: int):
        edge = c.s + way * (c.half + road.pavement + 0.5)

        def place(
            at: float, width: float, mesh: Mesh | None, row_colours: np.ndarray | None = None
        ) -> None:
            if mesh is None:
                things.append(_tree(rng, edge + way * 3, side * (at + width / 2)))
                return
            start = at + width if way * side > 0 else at
            things.append(
                Thing('building', [mesh], edge, side * start, -way * np.pi / 2, colours=row_colours)
            )

        return place

    gap = {'town': 0.08, 'office': 0.2, 'suburb': 0.2}[style]
    for s0, s1 in road.blocks():
        margin = road.pavement + 0.5
        for side in (-1, 1):
            row(s0 + margin, s1 - margin, along(side), gap)
    for c in road.crossings:
        for side in (-1, 1):
            for way in (-1, 1):
                row(front + 15.0, SIDE_STREET, aside(c, side, way), gap)
    return things


def _tree(rng: np.random.Generator, s: float, t: float, scale: float | None = None) -> Thing:
    scale = float(rng.uniform(0.75, 1.35)) if scale is None else scale
    return Thing(
        'vegetation',
        [F.tree(int(rng.integers(8)))],
        s,
        t,
        float(rng.uniform(0, 6.28)),
        scale=scale,
        colours=colours(rng, pick(rng, _GREENS)),
    )


def _green(
    rng: np.random.Generator, side: int, at: float, width: float, front: float
) -> list[Thing]:
    """A garden between two houses."""
    things = [
        _tree(rng, at + rng.uniform(0, width), side * (front + rng.uniform(2, 12)))
        for _ in range(int(rng.integers(1, 5)))
    ]
    kind = rng.random()
    if kind < 0.4:
        things.append(
            Thing(
                'vegetation',
                [F.hedge(width, 1.3)],
                at,
                side * (front + 0.4),
                colours=colours(rng, pick(rng, _GREENS)),
            )
        )
    elif kind < 0.8:
        things.append(
            Thing(
                'fence',
                [F.fence(width, 1.7)],
                at,
                side * (front + 0.3),
                colours=colours(
                    rng, pick(rng, [(0.24, 0.15, 0.08), (0.5, 0.5, 0.48), (0.2, 0.2, 0.2)])
                ),
            )
        )
    else:
        wall = colours(rng, (0.4, 0.37, 0.33))
        things.append(
            Thing(
                'wall',
                [F.box((0, -0.15, 0), (width, 0.15, 1.9), F.PLAIN)],
                at,
                side * (front + 0.3),
                colours=wall,
            )
        )
    return things


def furnish(rng: np.random.Generator, road: Road, style: str) -> tuple[list[Thing], np.ndarray]:
    """Lamps, trees and signs along the kerbs; returns the things and the lights of the lamps."""
    things, lamps = [], []
    edge = road.half + 0.7
    trees = rng.random() < 0.75
    height, gap = float(rng.uniform(6.5, 9.0)), float(rng.uniform(22, 34))
    for side in (-1, 1):
        for s in np.arange(road.start + 100 + (gap / 2 if side > 0 else 0), 260, gap):
            if any(abs(s - c.s) < c.half + 3 for c in road.crossings):
                continue
            things.append(
                Thing(
                    'pole',
                    [F.street_lamp(round(height, 1))],
                    s,
                    side * edge,
                    -side * np.pi / 2,
                    colours=colours(rng, _GREY),
                )
            )
            lamps.append((*road.point(s, side * (edge - 1.9)), height + 0.3))
        spacing = float(rng.uniform(9, 16))
        for s in np.arange(road.start + 150 + rng.uniform(0, 8), 230, spacing):
            clear = all(abs(s - c.s) > c.half + 9 for c in road.crossings)
            if trees and clear and rng.random() < 0.75:
                things.append(
                    _tree(
                        rng,
                        s + rng.uniform(-1, 1),
                        side * (edge + 0.5),
                        float(rng.uniform(0.75, 1.1)),
                    )
                )
        for s in rng.uniform(-60, 170, 8):
            kind = int(rng.choice([0, 0, 2, 3, 3, 1]))
            if all(abs(s - c.s) > c.half + 2 for c in road.crossings):
                things += _sign(rng, kind, s, side * (edge - 0.1), np.pi if side < 0 else 0.0)
    for c in road.crossings:
        if c.s > 15 and rng.random() < 0.8:
            things += _sign(rng, 1, c.s - c.half - 14, -(edge + 0.8), np.pi)
    return things, np.array(lamps).reshape(-1, 3)


def _sign(rng: np.random.Generator, kind: int, s: float, t: float, turn: float) -> list[Thing]:
    """A post with a sign that faces along `turn`."""
    top = {0: 2.5, 1: 3.4, 2: 2.6, 3: 2.4}[kind]
    turn += float(rng.normal(0, 0.05))
    return [
        Thing('pole', [F.pole(top + 0.3)], s, t, turn, colours=colours(rng, _GREY)),
        Thing(
            'traffic_sign',
            [F.sign_plate(kind)],
            s,
            t,
            turn,
            z=top,
            colours=colours(rng, _GREY, _GREY, (kind,)),
        ),
    ]


def control(rng: np.random.Generator, road: Road, c: Crossing, main_green: bool) -> list[Thing]:
    """Signals or stop signs of a crossing."""
    things = []
    corner_t, corner_s = road.half + 0.6, c.half + 0.9
    if c.control == 'signal':
        states = (2, 0) if main_green else (0, 2)
        for way in (1, -1):
            # Heads for traffic that runs along +s (way 1) face -s and hang on both sides of the crossing.
            face = np.pi if way > 0 else 0.0
            state = colours(rng, _GREY, _GREY, (states[0],))
            near, far = c.s - way * (corner_s + 0.4), c.s + way * (corner_s + 0.4)
            right = -way * corner_t
            for s, t, z in ((near, right, 2.4), (far, right, 2.4), (far, -right, 2.4)):
                things.append(Thing('pole', [F.pole(3.5, 0.07)], s, t, colours=colours(rng, _GREY)))
                things.append(
                    Thing(
                        'traffic_light',
                        [F.signal_head()],
                        s + np.cos(face) * 0.2,
                        t,
                        face,
                        z=z + KERB_HEIGHT,
                        colours=state,
                    )
                )
            if road.lanes > 1:
                reach = road.half_lanes * 0.8 + road.parking
                arm = way * np.pi / 2
                things.append(
                    Thing(
                        'pole',
                        [F.mast(5.6, round(reach, 1))],
                        far,
                        right,
                        arm,
                        colours=colours(rng, _GREY),
                    )
                )
                for k in range(road.lanes):
                    t = right + way * (corner_t - road.half_lanes + (k + 0.5) * road.lane)
                    if abs(right - t) < reach:
                        things.append(
                            Thing(
                                'traffic_light',
                                [F.signal_head()],
                                far + np.cos(face) * 0.15,
                                t,
                                face,
                                z=5.2,
                                colours=state,
                            )
                        )
            side = colours(rng, _GREY, _GREY, (states[1],))
            t = way * (road.half + 1.4)
            things.append(
                Thing(
                    'traffic_light',
                    [F.signal_head()],
                    c.s + way * (c.half + 1.3),
                    -t,
                    way * np.pi / 2,
                    z=2.7,
                    colours=side,
                )
            )
            things.append(
                Thing(
                    'pole',
                    [F.pole(3.9, 0.07)],
                    c.s + way * (c.half + 1.3),
                    -t - way * 0.2,
                    colours=colours(rng, _GREY),
                )
            )
    elif c.control == 'stop':
        for way in (1, -1):
            s, t = c.s + way * (c.half + 0.8), way * (road.half + 2.0)
            turn = way * np.pi / 2 + float(rng.normal(0, 0.12))
            things += _stop(rng, s, t, turn)
            # All-way stops: the road's own traffic is told to stop, too.
            if rng.random() < 0.85:
                things += _stop(
                    rng,
                    c.s - way * (c.half + 1.2),
                    -way * (road.half + 0.7),
                    (np.pi if way > 0 else 0.0) + float(rng.normal(0, 0.06)),
                )
    return things


def _stop(rng: np.random.Generator, s: float, t: float, turn: float) -> list[Thing]:
    z = float(rng.uniform(2.2, 2.6))
    return [
        Thing('pole', [F.pole(2.8)], s, t, turn, colours=colours(rng, _GREY)),
        Thing('stop_sign', [F.stop_plate()], s, t, turn, z=z, colours=colours(rng, _GREY)),
    ]
