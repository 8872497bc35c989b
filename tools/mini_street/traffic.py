"""Who uses the street: cars, lorries, buses, two-wheelers, people, a building site."""

from __future__ import annotations

import numpy as np

from . import furniture as F
from . import people as P
from . import vehicles as V
from .layout import colours, pick
from .road import KERB_HEIGHT, Crossing, Road
from .world import Thing

_CAR_PAINT = [
    (0.55, 0.55, 0.56),
    (0.62, 0.62, 0.60),
    (0.02, 0.02, 0.022),
    (0.05, 0.05, 0.055),
    (0.14, 0.15, 0.16),
    (0.28, 0.29, 0.30),
    (0.35, 0.02, 0.02),
    (0.02, 0.06, 0.22),
    (0.02, 0.12, 0.20),
    (0.05, 0.13, 0.06),
    (0.42, 0.33, 0.20),
    (0.45, 0.20, 0.02),
]
_LORRY_PAINT = [
    (0.62, 0.62, 0.60),
    (0.05, 0.10, 0.30),
    (0.45, 0.03, 0.02),
    (0.55, 0.38, 0.03),
    (0.10, 0.11, 0.12),
]
_BUS_PAINT = [
    (0.60, 0.42, 0.02),
    (0.05, 0.22, 0.45),
    (0.50, 0.04, 0.03),
    (0.55, 0.55, 0.53),
    (0.05, 0.30, 0.12),
]
_CLOTH = [
    (0.04, 0.05, 0.10),
    (0.30, 0.04, 0.05),
    (0.45, 0.43, 0.40),
    (0.03, 0.03, 0.03),
    (0.08, 0.20, 0.12),
    (0.35, 0.22, 0.05),
    (0.10, 0.16, 0.35),
    (0.45, 0.12, 0.20),
    (0.20, 0.20, 0.21),
]
_TROUSERS = [
    (0.03, 0.035, 0.05),
    (0.05, 0.07, 0.14),
    (0.10, 0.09, 0.08),
    (0.18, 0.16, 0.13),
    (0.02, 0.02, 0.02),
]
_SKINS = [(0.45, 0.28, 0.20), (0.36, 0.21, 0.14), (0.20, 0.11, 0.07), (0.10, 0.05, 0.035)]
_LENGTHS = {'car': 4.8, 'truck': 7.6, 'bus': 12.0, 'rig': 16.5, 'motorcycle': 2.2, 'bicycle': 1.8}


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A distance whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


class Crowd:
    """Fills a street; keeps what stands or drives from overlapping.

    Args:
        rng: source of all chance.
        road: the plan.
        ego_t, ego_speed: lane and speed (m/s) of the car with the cameras, at s = 0.
        red: the crossing at which traffic waits, if any.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        road: Road,
        ego_t: float,
        ego_speed: float,
        red: Crossing | None,
    ) -> None:
        self.rng, self.road, self.red = rng, road, red
        self.ego_t, self.ego_speed = ego_t, ego_speed
        self.things: list[Thing] = []
        self.groups = 0
        self._taken: dict[object, list[tuple[float, float]]] = {round(ego_t, 2): [(-9.0, 7.0)]}
        lanes = [(k + 0.5) * road.lane for k in range(road.lanes)]
        self.lanes = [-t for t in lanes] + lanes
        cruise = max(ego_speed, 6.0)
        self.speeds = {
            t: (ego_speed or cruise) * (1.0 if t == ego_t else rng.uniform(0.85, 1.2))
            if t < 0
            else -cruise * rng.uniform(0.7, 1.2)
            for t in self.lanes
        }

    def free(self, row: object, s: float, length: float, margin: float) -> bool:
        """Claim a stretch of a row (a lane, a kerb); False if someone is there."""
        a, b = s - length / 2 - margin, s + length / 2 + margin
        taken = self._taken.setdefault(row, [])
        if any(a < stop and start < b for start, stop in taken):
            return False
        taken.append((a, b))
        return True

    def _clear_of_crossings(self, s: float, room: float) -> bool:
        return all(abs(s - c.s) > c.half + room for c in self.road.crossings)

    def vehicle(
        self,
        kind: str,
        s: float,
        t: float,
        turn: float,
        speed: tuple[float, float],
        still: str = 'parked',
        z: float = 0.0,
    ) -> None:
        """Add a vehicle; 'rig' is a tractor with its trailer, two-wheelers come with riders unless parked."""
        rng = self.rng
        common = dict(t=t, turn=turn, speed=speed, still=still, z=z)
        braking = 1.0 if speed == (0.0, 0.0) and still == 'stopped' else 0.0
        if kind == 'car':
            body = str(rng.choice(V.CAR_BODIES, p=[0.32, 0.24, 0.26, 0.09, 0.09]))
            row = colours(rng, pick(rng, _CAR_PAINT), (0.6, 0.6, 0.58), (braking,))
            self.things.append(Thing('car', [V.car(body)], s, colours=row, **common))
        elif kind == 'truck':
            row = colours(
                rng,
                pick(rng, _LORRY_PAINT),
                pick(rng, _BUS_PAINT),
                (braking, rng.random() < 0.7, 1.9),
            )
            self.things.append(
                Thing(
                    'truck',
                    [V.truck(str(rng.choice(['box', 'box', 'tipper'])))],
                    s,
                    colours=row,
                    **common,
                )
            )
        elif kind == 'bus':
            row = colours(rng, pick(rng, _BUS_PAINT), (0.55, 0.55, 0.53), (braking,))
            self.things.append(
                Thing(
                    'bus',
                    [V.bus(str(rng.choice(['city', 'city', 'coach'])))],
                    s,
                    colours=row,
                    **common,
                )
            )
        elif kind == 'rig':
            self.groups += 1
            row = colours(
                rng,
                pick(rng, _LORRY_PAINT),
                pick(rng, _BUS_PAINT),
                (braking, rng.random() < 0.8, 3.0),
            )
            ahead = 1.0 if abs(turn) < 1 else -1.0
            self.things.append(
                Thing(
                    'truck',
                    [V.truck('tractor')],
                    s + ahead * 5.3,
                    colours=row,
                    group=self.groups,
                    **common,
                )
            )
            self.things.append(
                Thing(
                    'trailer',
                    [V.trailer()],
                    s - ahead * 2.6,
                    colours=row,
                    group=self.groups,
                    **common,
                )
            )
        else:
            self._two_wheeler(kind, s, common)

    def _two_wheeler(self, kind: str, s: float, common: dict) -> None:
        rng = self.rng
        self.groups += 1
        machine = colours(rng, pick(rng, _CAR_PAINT), (0.5, 0.5, 0.5))
        mesh = P.bicycle() if kind == 'bicycle' else P.motorcycle()
        self.things.append(Thing(kind, [mesh], s, colours=machine, group=self.groups, **common))
        if common['speed'] != (0.0, 0.0) or common['still'] == 'stopped':
            riders = (
                [P.cyclist(k) for k in range(P.WALK_POSES)]
                if kind == 'bicycle'
                else [P.motorcyclist()]
            )
            row = colours(rng, pick(rng, _CLOTH), pick(rng, _TROUSERS), pick(rng, _SKINS))
            self.things.append(
                Thing('rider', riders, s, colours=row, group=self.groups, stride=5.0, **common)
            )

    def drive(self, kind: str, s: float, lanes: list[float] | None = None) -> bool:
        """Put a vehicle into a lane near s, if there is room."""
        rng = self.rng
        options = self.lanes if lanes is None else lanes
        t = float(options[int(rng.integers(len(options)))])
        onward = t < 0
        # Nothing tall right beside the cameras, where it would fill several views.
        if kind in ('truck', 'bus', 'rig') and t != self.ego_t and abs(s) < 9 + _LENGTHS[kind] / 2:
            return False
        if not self.free(round(t, 2), s, _LENGTHS[kind], 1.6):
            return False
        speed, still = self.speeds[t], 'stopped'
        if self.red is not None:
            held = s < self.red.s if onward else s > self.red.s
            if held and abs(s - self.red.s) < self.red.half + 6 + _LENGTHS[kind] / 2:
                return False
            speed = 0.0 if held and abs(s - self.red.s) < 60 else speed
            if not held and abs(s - self.red.s) < self.red.half + 8:
                return False
        wobble = t + float(rng.normal(0, 0.12))
        if kind == 'bicycle':
            wobble = np.sign(t) * (self.road.half_lanes - 0.5)
        self.vehicle(kind, s, wobble, 0.0 if onward else np.pi, (speed, 0.0), still)
        return True

    def park(self, kind: str, s: float, side: int) -> bool:
        """Park a vehicle at the kerb."""
        if self.road.parking == 0 or not self._clear_of_crossings(s, 8 + _LENGTHS[kind] / 2):
            return False
        if not self.free(('kerb', side), s, _LENGTHS[kind], 0.5):
            return False
        t = side * (self.road.half_lanes + self.road.parking / 2 + 0.2 + self.rng.normal(0, 0.08))
        turn = (0.0 if side < 0 else np.pi) + float(self.rng.normal(0, 0.015))
        self.vehicle(kind, s, t, turn, (0.0, 0.0))
        return True

    def walk(self, s: float, side: int, kind: str = 'person') -> None:
        """A person on the sidewalk, walking or standing."""
        rng = self.rng
        t = side * (self.road.half + float(rng.uniform(1.0, max(1.2, self.road.pavement - 0.3))))
        if not self.free(('pavement', side, round(abs(t), 0)), s, 0.7, 0.25):
            return
        way = 1.0 if rng.random() < 0.5 else -1.0
        pace = float(rng.uniform(1.0, 1.7)) * way if rng.random() < 0.8 else 0.0
        turn = (0.0 if way > 0 else np.pi) if pace else float(rng.uniform(-np.pi, np.pi))
        z = KERB_HEIGHT if self._clear_of_crossings(s, 0.3) else 0.0
        self._person(s, t, turn, (pace, 0.0), z, kind)

    def _person(
        self, s: float, t: float, turn: float, speed: tuple[float, float], z: float, kind: str
    ) -> None:
        rng = self.rng
        bag, coat = bool(rng.random() < 0.3), bool(rng.random() < 0.25)
        poses = [
            P.pedestrian(k, bag, coat)
            for k in (range(P.WALK_POSES) if speed != (0.0, 0.0) else (-1,))
        ]
        cloth = (0.75, 0.35, 0.02) if kind == 'worker' else pick(rng, _CLOTH)
        row = colours(rng, cloth, pick(rng, _TROUSERS), pick(rng, _SKINS))
        scale = float(rng.normal(0.98, 0.05))
        self.things.append(Thing(kind, poses, s, t, turn, speed, z, scale, row, stride=1.45))

    def cross(self, c: Crossing, people: int) -> None:
        """People on the zebra of a crossing where the road's traffic waits."""
        for _ in range(people):
            way = 1.0 if self.rng.random() < 0.5 else -1.0
            s = c.s - (c.half + 1.6 + float(self.rng.uniform(0, 2.0)))
            t = float(self.rng.uniform(-self.road.half, self.road.half))
            if self.free(('zebra', c.s), t, 0.8, 0.2):
                self._person(
                    s,
                    t,
                    way * np.pi / 2,
                    (0.0, way * float(self.rng.uniform(1.0, 1.6))),
                    0.0,
                    'person',
                )

    def side_street(self, c: Crossing) -> None:
        """Cars on a side street: waiting, or crossing while the road waits."""
        for side in (-1, 1):
            t = self.road.half + 9.0 + float(self.rng.uniform(0, 2))
            lane = c.s + side * c.half * 0.5
            for _ in range(int(self.rng.integers(0, 4))):
                kind = str(
                    self.rng.choice(['car', 'car', 'car', 'car', 'truck', 'bus', 'motorcycle'])
                )
                t += _LENGTHS[kind] / 2
                going = self.red is c
                speed = (0.0, -side * 7.0) if going else (0.0, 0.0)
                self.vehicle(kind, lane, side * t, -side * np.pi / 2, speed, 'stopped')
                t += _LENGTHS[kind] / 2 + (8.0 if going else 1.8)

    def building_site(self, s: float, side: int) -> None:
        """An excavator at the kerb behind cones and barriers."""
        rng, road = self.rng, self.road
        if not self.free(('kerb', side), s, 22.0, 1.0):
            return
        t = side * (road.half + 0.2)
        yellow = colours(rng, (0.62, 0.36, 0.02), (0.5, 0.5, 0.5))
        self.things.append(
            Thing(
                'construction',
                [V.excavator()],
                s + 2,
                t + side * 1.2,
                float(rng.uniform(-0.3, 0.3)),
                colours=yellow,
            )
        )
        edge = side * (road.half_lanes + 0.25)
        for k in range(7):
            self.things.append(
                Thing(
                    'cone',
                    [F.cone()],
                    s - 9 + 3 * k,
                    edge + float(rng.normal(0, 0.08)),
                    colours=colours(rng, (0.8, 0.2, 0.02)),
                )
            )
        red = colours(rng, pick(rng, [(0.55, 0.03, 0.02), (0.75, 0.25, 0.02)]))
        for k in range(2 + int(road.parking > 0)):
            self.things.append(
                Thing(
                    'barrier', [F.barrier()], s - 10.5, edge + side * (1.1 + 2.1 * k), colours=red
                )
            )
        for k in range(2):
            self.things.append(
                Thing(
                    'barrier',
                    [F.barrier()],
                    s + 7.5 + 0.8 * k,
                    edge + side * (1.1 + 2.1 * k),
                    colours=red,
                )
            )
        self.free(('pavement', side, round(abs(t) + 1, 0)), s, 22.0, 0.0)
        for _ in range(2):
            self.walk(s + float(rng.uniform(-6, 9)), side, 'worker')
