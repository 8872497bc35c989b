"""Draw a whole street world from a seed."""

from __future__ import annotations

import numpy as np

from . import layout, road, weather
from .traffic import Crowd, log_uniform
from .world import World

_MIX = ['car'] * 12 + ['truck'] * 2 + ['bus'] * 2 + ['motorcycle'] * 2 + ['bicycle'] * 3 + ['rig']


def _place(rng: np.random.Generator, around: bool, high: float = 130.0) -> float:
    """A distance along the road, log-uniform ahead of the ego car (and behind it for `around`)."""
    distance = log_uniform(rng, 7.0, high)
    return -distance * 0.6 if around and rng.random() < 0.35 else distance


def make_world(
    seed: tuple[int, ...], around: bool = False, light: str | None = None, travel: float = 0.0
) -> World:
    """Build a street.

    Args:
        seed: numbers that settle everything.
        around: fill the street behind the ego car too, and place one of every nuScenes class near it.
        light: kind of weather, default any.
        travel: metres that the ego car will drive; the street is filled as far ahead.
    """
    rng = np.random.default_rng(seed)
    plan = road.plan(rng)
    if around:
        plan = road.Road(
            plan.curvature, max(plan.lanes, 1), plan.lane, 2.3, plan.pavement, plan.crossings
        )
    sky = weather.draw(rng, light)
    style = str(rng.choice(['town', 'town', 'office', 'suburb']))
    things = layout.lay_ground(rng, plan, style) + layout.line_with_houses(rng, plan, style)
    furniture, lamps = layout.furnish(rng, plan, style)
    things += furniture

    ahead = next(c for c in plan.crossings if c.s > 15)
    wait = not around and ahead.control == 'signal' and ahead.s < 55 and rng.random() < 0.45
    red = ahead if wait else None
    ego_speed = 0.0 if wait else float(rng.uniform(5.0, 10.0))
    ego_t = -(int(rng.integers(plan.lanes)) + 0.5) * plan.lane
    for c in plan.crossings:
        things += layout.control(rng, plan, c, main_green=c is not red)

    crowd = Crowd(rng, plan, ego_t, ego_speed, red)
    if around:
        _cast(rng, crowd)
    elif rng.random() < 0.3:
        crowd.building_site(float(rng.uniform(20, 70)), int(rng.choice([-1, -1, 1])))
    for c in plan.crossings:
        crowd.side_street(c)
    if red is not None:
        crowd.cross(red, int(rng.integers(2, 9)))
    density = float(rng.uniform(0.6, 1.3))
    for _ in range(int(38 * density)):
        crowd.drive(str(rng.choice(_MIX)), _place(rng, around))
    for side in (-1, 1):
        for s in np.arange(-70 if around else -4, 165 + travel, 6.2):
            if rng.random() < 0.55:
                crowd.park(
                    str(rng.choice(['car'] * 16 + ['truck', 'motorcycle', 'motorcycle'])),
                    s + float(rng.uniform(-0.6, 0.6)),
                    side,
                )
        for _ in range(int(17 * density)):
            s = _place(rng, around, 110.0) + float(rng.uniform(0, travel))
            for k in range(int(rng.choice([1, 1, 2, 3]))):
                crowd.walk(s + 0.9 * k, side)
        for _ in range(int(rng.integers(0, 4))):
            s = float(rng.uniform(6, 60 + travel))
            if crowd.free(('rack', side), s, 2.0, 0.2):
                crowd.vehicle(
                    'bicycle',
                    s,
                    side * (plan.half + 0.45),
                    float(rng.normal(0, 0.1)),
                    (0.0, 0.0),
                    z=road.KERB_HEIGHT,
                )
    return World(plan, sky, things + crowd.things, lamps, (ego_t, ego_speed))


def _cast(rng: np.random.Generator, crowd: Crowd) -> None:
    """One of every class of nuScenes close to the ego car, so that short scenes have them all."""
    crowd.building_site(float(rng.uniform(19, 24)), -1)
    for kind, side, low, high in (('rig', 1, 14, 40), ('bus', -1, -30, -14), ('truck', 1, -32, -8)):
        # A crossing may be in the way; look for a place beside it.
        for _ in range(12):
            if crowd.park(kind, float(rng.uniform(low, high)), side):
                break
    for kind, s in (
        ('bicycle', 16.0),
        ('motorcycle', -15.0),
        ('motorcycle', 24.0),
        ('bicycle', -12.0),
        ('bus', 30.0),
    ):
        crowd.drive(kind, s + float(rng.uniform(-2, 2)))
    for s in (8.0, 13.0, 18.0):
        crowd.walk(s, 1)
        crowd.walk(s + 3, -1)
