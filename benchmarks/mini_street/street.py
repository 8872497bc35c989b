"""Generates a whole street world from a seed."""

from __future__ import annotations

import numpy as np

from . import weather
from .actors import Spot
from .houses import lay_ground, line_with_houses
from .kerbside import control, furnish
from .palette import pick
from .road import KERB_HEIGHT, plan
from .traffic import Crowd
from .world import World

_DRIVEN = ('car',) * 12 + ('truck',) * 2 + ('bus',) * 2 + ('motorcycle',) * 2 + ('bicycle',) * 3
_DRIVEN += ('rig',)
_PARKED = ('car',) * 16 + ('truck', 'motorcycle', 'motorcycle')


def _place(rng: np.random.Generator, around: bool, high: float) -> float:
    """A distance along the road, log-uniform from 8 m ahead; for `around`, one in three behind."""
    distance = float(np.exp(rng.uniform(np.log(8.0), np.log(high))))
    return -0.6 * distance if around and rng.random() < 0.35 else distance


def make_world(
    seed: tuple[int, ...], around: bool = False, light: str | None = None, travel: float = 0.0
) -> World:
    """Build a street.

    Args:
        seed: numbers that determine everything.
        around: fill the street behind the ego car too, and place one of every nuScenes class near.
        light: kind of weather; random by default.
        travel: metres that the ego car will drive; the street is filled that much farther.
    """
    rng = np.random.default_rng(seed)
    road = plan(rng, parking=2.3 if around else None)
    sky = weather.draw(rng, light)
    style = pick(rng, ('town', 'town', 'office', 'suburb'))
    things = lay_ground(rng, road, style) + line_with_houses(rng, road, style)
    furniture, lamps = furnish(rng, road)
    things += furniture

    ahead = next(c for c in road.crossings if c.s > 15)
    waits = ahead.control == 'signal' and ahead.s < 55 and rng.random() < 0.45
    red = ahead if waits and not around else None
    speed = 0.0 if red else float(rng.uniform(5.0, 10.0))
    lane = -(int(rng.integers(road.lanes)) + 0.5) * road.lane
    crowd = Crowd(rng, road, lane, speed, red)
    if around:
        _cast(rng, crowd)
    elif rng.random() < 0.3:
        crowd.building_site(float(rng.uniform(20, 70)), pick(rng, (-1, -1, 1)))
    for c in road.crossings:
        things += control(rng, road, c, green=c is not red)
        crowd.side_street(c)
    if red is not None:
        crowd.cross(red, int(rng.integers(2, 9)))
    _populate(rng, crowd, around, travel)
    return World(road, sky, things + crowd.things, lamps, (lane, speed))


def _populate(rng: np.random.Generator, crowd: Crowd, around: bool, travel: float) -> None:
    """Everyday traffic, parked vehicles, people."""
    density = float(rng.uniform(0.6, 1.3))
    for _ in range(int(46 * density)):
        crowd.drive(pick(rng, _DRIVEN), _place(rng, around, 150.0))
    for side in (-1, 1):
        for s in np.arange(-70 if around else -4, 165 + travel, 6.2):
            if rng.random() < 0.55:
                crowd.park(pick(rng, _PARKED), s + float(rng.uniform(-0.6, 0.6)), side)
        for _ in range(int(17 * density)):
            s = _place(rng, around, 110.0) + float(rng.uniform(0, 18.0 + travel))
            for k in range(pick(rng, (1, 1, 2, 3))):
                crowd.walk(s + 0.9 * k, side)
        for _ in range(int(rng.integers(0, 4))):
            s = float(rng.uniform(6, 60 + travel))
            if crowd.free(('rack', side), s, 2.0, 0.2):
                t, turn = side * (crowd.road.half + 0.45), float(rng.normal(0, 0.1))
                crowd.add('bicycle', Spot(s, t, turn, z=KERB_HEIGHT))


def _cast(rng: np.random.Generator, crowd: Crowd) -> None:
    """One of every class of nuScenes close to the ego car, so that short scenes have them all."""
    crowd.building_site(float(rng.uniform(19, 24)), -1)
    for kind, side, low, high in (('rig', 1, 14, 40), ('bus', -1, -30, -14), ('truck', 1, -32, -8)):
        # A crossing may be in the way; look for a place beside it.
        any(crowd.park(kind, float(rng.uniform(low, high)), side) for _ in range(12))
    for kind, s in (('bicycle', 16), ('motorcycle', -15), ('motorcycle', 24), ('bicycle', -12)):
        crowd.drive(kind, s + float(rng.uniform(-2, 2)))
    for s in (8.0, 13.0, 18.0):
        crowd.walk(s, 1)
        crowd.walk(s + 3, -1)
