"""The ground, and rows of houses along a street and its side streets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import palette
from .buildings import building, fence, garden_wall
from .greenery import ground, hedge, hill, tree
from .meshes import Mesh
from .palette import colours, pick
from .road import SIDE_STREET, Crossing, Road
from .world import Thing

# A kind of place: storey height, floors (from, below), share of gaps, depth of front gardens.
_STYLES = {
    'town': (3.5, 2, 6, 0.08, 0.0),
    'office': (3.7, 4, 14, 0.2, 3.0),
    'suburb': (2.8, 1, 3, 0.2, 6.5),
}


def lay_ground(rng: np.random.Generator, road: Road, style: str) -> list[Thing]:
    """Land, carriageways, sidewalks and the far rim."""
    lawn = pick(rng, palette.LAWNS) if style != 'town' else (0.21, 0.20, 0.19)
    earth = colours(rng, lawn, (0.20, 0.16, 0.11))
    tar = colours(rng, tuple(rng.uniform(0.08, 0.13) * rng.uniform(0.95, 1.05, 3)))
    tar[3:] = road.parameters(yellow=bool(rng.random() < 0.5), seed=tar[6])
    rim = hill(600.0, rng.uniform(8, 26, 61))
    things = [
        Thing('terrain', [ground(700.0)], colours=earth, fixed=True),
        Thing('road', [road.surface()], colours=tar, fixed=True),
        Thing('vegetation', [rim], colours=colours(rng, (0.06, 0.09, 0.035)), fixed=True),
    ]
    for c in road.crossings:
        side = tar.copy()
        side[3:6] = c.half, max(1, c.half // 3.4), 3.1
        side[9:12] = 1, 0.0, road.half
        things.append(Thing('road', [road.side_surface(c)], colours=side, fixed=True))
    slab = colours(rng, pick(rng, palette.SLABS))
    things.append(Thing('sidewalk', [road.pavements()], colours=slab, fixed=True))
    return things


def _house(rng: np.random.Generator, style: str, width: float) -> tuple[Mesh, np.ndarray]:
    """A building and its colours, see `materials.facade`."""
    storey, low, high, _, _ = _STYLES[style]
    depth = float(rng.uniform(8, 10) if style == 'suburb' else rng.uniform(10, 15))
    height = storey * int(rng.integers(low, high)) + (0.3 if style == 'suburb' else 0.6)
    wall = pick(rng, palette.WALLS)
    brick = wall[0] > 1.6 * wall[2] and rng.random() < 0.7
    glassy = style == 'office' and rng.random() < 0.6
    bays = max(1, round(width / (rng.uniform(1.6, 2.2) if glassy else rng.uniform(2.3, 3.4))))
    share = (0.88, 0.72) if glassy else (rng.uniform(0.36, 0.55), rng.uniform(0.42, 0.58))
    details = (storey, width / bays, *share, brick, style == 'town', height)
    row = colours(rng, wall, pick(rng, palette.TRIMS), details)
    row[14:17] = pick(rng, palette.ROOFS if style == 'suburb' else palette.AWNINGS)
    return building(width, depth, height, rng, style), row


def plant(rng: np.random.Generator, s: float, t: float, scale: float | None = None) -> Thing:
    """A tree."""
    size = float(rng.uniform(0.75, 1.35)) if scale is None else scale
    leaves = colours(rng, pick(rng, palette.LEAVES))
    mesh = tree(int(rng.integers(8)))
    turn = float(rng.uniform(0, 6.28))
    return Thing('vegetation', [mesh], s, t, turn, scale=size, colours=leaves)


def _garden(
    rng: np.random.Generator, side: int, at: float, width: float, front: float
) -> list[Thing]:
    """Trees behind a hedge, a fence or a wall, between two houses."""
    things = [
        plant(rng, at + rng.uniform(0, width), side * (front + rng.uniform(2, 12)))
        for _ in range(int(rng.integers(1, 5)))
    ]
    kind, mesh, paints = pick(
        rng,
        [
            ('vegetation', hedge(width, 1.3), palette.LEAVES),
            ('fence', fence(width, 1.7), palette.FENCES),
            ('wall', garden_wall(width, 1.9), [(0.4, 0.37, 0.33)]),
        ],
    )
    row = colours(rng, pick(rng, paints))
    return [*things, Thing(kind, [mesh], at, side * (front + 0.4), colours=row)]


def _row(
    rng: np.random.Generator, style: str, begin: float, end: float, place: Callable[..., None]
) -> None:
    """Fill a stretch with houses and gaps: `place(at, width, mesh, colours)`, no mesh for a gap."""
    suburb = style == 'suburb'
    at = begin
    while at < end - 6:
        width = min(float(rng.uniform(9, 14 if suburb else 22)), end - at)
        if rng.random() < _STYLES[style][3]:
            place(at, width, None, None)
        elif width >= 6:
            place(at, width, *_house(rng, style, width))
        at += width + float(rng.uniform(3, 8) if suburb else pick(rng, (0.0, 0.0, 3.0)))


def line_with_houses(rng: np.random.Generator, road: Road, style: str) -> list[Thing]:
    """Rows of houses along the road and its side streets."""
    things: list[Thing] = []
    front = road.half + road.pavement + _STYLES[style][4]

    def along(side: int) -> Callable[..., None]:
        def place(at: float, width: float, mesh: Mesh | None, row: np.ndarray | None) -> None:
            if mesh is None:
                things.extend(_garden(rng, side, at, width, front))
                return
            s = at if side > 0 else at + width
            bend = float(road.heading(at + width / 2) - road.heading(s))
            turn = bend if side > 0 else np.pi + bend
            things.append(Thing('building', [mesh], s, side * front, turn, colours=row))

        return place

    def aside(c: Crossing, side: int, way: int) -> Callable[..., None]:
        edge = c.s + way * (c.half + road.pavement + 0.5)

        def place(at: float, width: float, mesh: Mesh | None, row: np.ndarray | None) -> None:
            if mesh is None:
                things.append(plant(rng, edge + way * 3, side * (at + width / 2)))
                return
            t = side * (at + width if way * side > 0 else at)
            things.append(Thing('building', [mesh], edge, t, -way * np.pi / 2, colours=row))

        return place

    margin = road.pavement + 0.5
    for s0, s1 in road.blocks():
        for side in (-1, 1):
            _row(rng, style, s0 + margin, s1 - margin, along(side))
    for c in road.crossings:
        for side in (-1, 1):
            for way in (-1, 1):
                _row(rng, style, front + 15.0, SIDE_STREET, aside(c, side, way))
    return things
