"""What stands along the kerbs: lamps, trees, signs, and the control of crossings."""

from __future__ import annotations

import numpy as np

from . import furniture as F
from .houses import plant
from .palette import grey, pick
from .road import KERB_HEIGHT, Crossing, Road
from .world import Thing


def furnish(rng: np.random.Generator, road: Road) -> tuple[list[Thing], np.ndarray]:
    """Lamps, trees and signs along the kerbs; returns the things and the lights of the lamps."""
    things: list[Thing] = []
    lamps = []
    edge = road.half + 0.7
    trees = rng.random() < 0.75
    height, gap = round(float(rng.uniform(6.5, 9.0)), 1), float(rng.uniform(22, 34))
    for side in (-1, 1):
        for s in np.arange(road.start + 100 + (gap / 2 if side > 0 else 0), 260, gap):
            if road.clear_of_crossings(s, 3):
                turn = -side * np.pi / 2
                lamp = F.street_lamp(height)
                things.append(Thing('pole', [lamp], s, side * edge, turn, colours=grey(rng)))
                lamps.append((*road.point(s, side * (edge - 1.9)), height + 0.3))
        spacing = float(rng.uniform(9, 16))
        for s in np.arange(road.start + 150 + rng.uniform(0, 8), 230, spacing):
            if trees and road.clear_of_crossings(s, 9) and rng.random() < 0.75:
                size = float(rng.uniform(0.75, 1.1))
                things.append(plant(rng, s + rng.uniform(-1, 1), side * (edge + 0.5), size))
        for s in rng.uniform(-60, 170, 8):
            if road.clear_of_crossings(s, 2):
                turn = np.pi if side < 0 else 0.0
                things += _sign(rng, pick(rng, (0, 0, 2, 3, 3, 1)), s, side * (edge - 0.1), turn)
    for c in road.crossings:
        if c.s > 15 and rng.random() < 0.8:
            things += _sign(rng, 1, c.s - c.half - 14, -(edge + 0.8), np.pi)
    return things, np.array(lamps).reshape(-1, 3)


def _sign(rng: np.random.Generator, kind: int, s: float, t: float, turn: float) -> list[Thing]:
    """A post with a sign that faces along `turn`."""
    top = {0: 2.5, 1: 3.4, 2: 2.6, 3: 2.4}[kind]
    turn += float(rng.normal(0, 0.05))
    plate = Thing('traffic_sign', [F.sign_plate(kind)], s, t, turn, z=top, colours=grey(rng, kind))
    return [Thing('pole', [F.pole(top + 0.3)], s, t, turn, colours=grey(rng)), plate]


def _stop(rng: np.random.Generator, s: float, t: float, turn: float) -> list[Thing]:
    """A post with a stop sign."""
    z = float(rng.uniform(2.2, 2.6))
    plate = Thing('stop_sign', [F.stop_plate()], s, t, turn, z=z, colours=grey(rng))
    return [Thing('pole', [F.pole(2.8)], s, t, turn, colours=grey(rng)), plate]


def _head(s: float, t: float, turn: float, z: float, state: np.ndarray) -> Thing:
    """A traffic light."""
    return Thing('traffic_light', [F.signal_head()], s, t, turn, z=z, colours=state)


def _signals(rng: np.random.Generator, road: Road, c: Crossing, green: bool) -> list[Thing]:
    """Traffic lights for both roads of a crossing; `green` is what the main road sees."""
    things = []
    main, side = (2, 0) if green else (0, 2)
    for way in (1, -1):
        # Heads for traffic along +s (way 1) face -s and hang on both sides of the crossing.
        face = np.pi if way > 0 else 0.0
        state = grey(rng, main)
        near, far = c.s - way * (c.half + 1.3), c.s + way * (c.half + 1.3)
        right = -way * (road.half + 0.6)
        for s, t in ((near, right), (far, right), (far, -right)):
            things.append(Thing('pole', [F.pole(3.5, 0.07)], s, t, colours=grey(rng)))
            things.append(_head(s - way * 0.2, t, face, 2.4 + KERB_HEIGHT, state))
        if road.lanes > 1:
            reach = round(road.half_lanes * 0.8 + road.parking, 1)
            mast = F.mast(5.6, reach)
            things.append(Thing('pole', [mast], far, right, way * np.pi / 2, colours=grey(rng)))
            for k in range(road.lanes):
                t = -way * (road.half_lanes - (k + 0.5) * road.lane)
                if abs(right - t) < reach:
                    things.append(_head(far - way * 0.15, t, face, 5.2, state))
        s, t = c.s + way * (c.half + 1.3), -way * (road.half + 1.4)
        things.append(_head(s, t, way * np.pi / 2, 2.7, grey(rng, side)))
        things.append(Thing('pole', [F.pole(3.9, 0.07)], s, t - way * 0.2, colours=grey(rng)))
    return things


def control(rng: np.random.Generator, road: Road, c: Crossing, green: bool) -> list[Thing]:
    """Signals or stop signs of a crossing."""
    if c.control == 'signal':
        return _signals(rng, road, c, green)
    things: list[Thing] = []
    if c.control == 'stop':
        for way in (1, -1):
            turn = way * np.pi / 2 + float(rng.normal(0, 0.12))
            things += _stop(rng, c.s + way * (c.half + 0.8), way * (road.half + 2.0), turn)
            # Most are all-way stops: the main road's own traffic is told to stop, too.
            if rng.random() < 0.85:
                turn = (np.pi if way > 0 else 0.0) + float(rng.normal(0, 0.06))
                things += _stop(rng, c.s - way * (c.half + 1.2), -way * (road.half + 0.7), turn)
    return things
