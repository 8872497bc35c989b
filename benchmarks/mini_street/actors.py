"""What moves or is parked: one vehicle, rider or person at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import lorries, palette, people
from .cars import CAR_BODIES, car
from .palette import colours, pick
from .world import Thing

LENGTHS = {'car': 4.8, 'truck': 7.6, 'bus': 12.0, 'rig': 16.5, 'motorcycle': 2.2, 'bicycle': 1.8}


@dataclass(frozen=True)
class Spot:
    """Where something is and how it moves: see `world.Thing`."""

    s: float
    t: float
    turn: float
    speed: tuple[float, float] = (0.0, 0.0)
    still: str = 'parked'
    z: float = 0.0

    def thing(self, kind: str, meshes: list, row: np.ndarray, ahead: float = 0.0, **more) -> Thing:
        """A thing here, or so many metres ahead (along the road) of here."""
        s = self.s + (ahead if abs(self.turn) < np.pi / 2 else -ahead)
        place = {'z': self.z, 'still': self.still, **more}
        return Thing(kind, meshes, s, self.t, self.turn, self.speed, colours=row, **place)


def vehicle(rng: np.random.Generator, kind: str, spot: Spot, group: int) -> list[Thing]:
    """A vehicle of a kind in `LENGTHS`.

    'rig' is a tractor with its trailer; two-wheelers come with riders unless parked.
    """
    braking = spot.speed == (0.0, 0.0) and spot.still == 'stopped'
    if kind == 'car':
        body = str(rng.choice(CAR_BODIES, p=[0.32, 0.24, 0.26, 0.09, 0.09]))
        row = colours(rng, pick(rng, palette.CARS), (0.6, 0.6, 0.58), (braking,))
        return [spot.thing('car', [car(body)], row)]
    if kind == 'bus':
        row = colours(rng, pick(rng, palette.BUSES), (0.55, 0.55, 0.53), (braking,))
        return [spot.thing('bus', [lorries.bus(pick(rng, ('city', 'city', 'coach')))], row)]
    if kind in ('truck', 'rig'):
        logo = 3.0 if kind == 'rig' else 1.9
        paint, second = pick(rng, palette.LORRIES), pick(rng, palette.BUSES)
        row = colours(rng, paint, second, (braking, rng.random() < 0.75, logo))
        if kind == 'truck':
            return [spot.thing('truck', [lorries.truck(pick(rng, ('box', 'box', 'tipper')))], row)]
        return [
            spot.thing('truck', [lorries.truck('tractor')], row, 5.3, group=group),
            spot.thing('trailer', [lorries.trailer()], row, -2.6, group=group),
        ]
    mesh = people.bicycle() if kind == 'bicycle' else people.motorcycle()
    machine = spot.thing(kind, [mesh], colours(rng, pick(rng, palette.CARS)), group=group)
    if spot.speed == (0.0, 0.0) and spot.still == 'parked':
        return [machine]
    poses = [people.motorcyclist()]
    if kind == 'bicycle':
        poses = [people.cyclist(k) for k in range(people.WALK_POSES)]
    row = _clothes(rng, pick(rng, palette.SHIRTS))
    return [machine, spot.thing('rider', poses, row, group=group, stride=5.0)]


def _clothes(rng: np.random.Generator, shirt: tuple) -> np.ndarray:
    return colours(rng, shirt, pick(rng, palette.TROUSERS), pick(rng, palette.SKINS))


def person(rng: np.random.Generator, kind: str, spot: Spot) -> Thing:
    """A 'person' or a 'worker' in orange, walking if the spot has a speed."""
    bag, coat = bool(rng.random() < 0.3), bool(rng.random() < 0.25)
    walk = range(people.WALK_POSES) if spot.speed != (0.0, 0.0) else (-1,)
    poses = [people.pedestrian(k, bag, coat) for k in walk]
    row = _clothes(rng, (0.75, 0.35, 0.02) if kind == 'worker' else pick(rng, palette.SHIRTS))
    return spot.thing(kind, poses, row, scale=float(rng.normal(0.98, 0.05)), stride=1.45)
