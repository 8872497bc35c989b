"""Fills a street with cars, lorries, buses, two-wheelers, people and a building site."""

from __future__ import annotations

import numpy as np

from . import furniture
from .actors import LENGTHS, Spot, person, vehicle
from .lorries import excavator
from .palette import colours, pick
from .road import KERB_HEIGHT, Crossing, Road
from .world import Thing


class Crowd:
    """Fills a street; keeps what stands or drives from overlapping.

    Args:
        rng: the random number generator.
        road: the plan.
        ego_t: lane of the car with the cameras, which is at s = 0.
        ego_speed: its speed in m/s.
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
        self.rng, self.road, self.red, self.ego_t = rng, road, red, ego_t
        self.things: list[Thing] = []
        self._groups = 0
        self._taken: dict[object, list[tuple[float, float]]] = {round(ego_t, 2): [(-9.0, 7.0)]}
        right = [-(k + 0.5) * road.lane for k in range(road.lanes)]
        self._lanes = [*right, *(-t for t in right)]
        cruise = ego_speed or 7.0
        self._speeds = {t: -np.sign(t) * cruise * rng.uniform(0.8, 1.2) for t in self._lanes}
        self._speeds[ego_t] = cruise

    def free(self, row: object, s: float, length: float, margin: float) -> bool:
        """Claim a stretch of a row (a lane, a kerb); False if it is taken."""
        a, b = s - length / 2 - margin, s + length / 2 + margin
        taken = self._taken.setdefault(row, [])
        if any(a < stop and start < b for start, stop in taken):
            return False
        taken.append((a, b))
        return True

    def add(self, kind: str, spot: Spot) -> None:
        """Add a vehicle without looking whether the place is free."""
        self._groups += 1
        self.things += vehicle(self.rng, kind, spot, self._groups)

    def _speed_at(self, s: float, t: float, length: float) -> float | None:
        """Speed in a lane at s; None where no car may be while a crossing shows red."""
        if self.red is None:
            return float(self._speeds[t])
        before = s < self.red.s if t < 0 else s > self.red.s
        away = abs(s - self.red.s) - self.red.half
        if away < (6 + length / 2 if before else 8):
            return None
        return 0.0 if before and away < 55 else float(self._speeds[t])

    def drive(self, kind: str, s: float) -> bool:
        """Put a vehicle into some lane near s, if there is room."""
        t, length = pick(self.rng, self._lanes), LENGTHS[kind]
        # Nothing tall right beside the cameras, where it would fill several views.
        if kind in ('truck', 'bus', 'rig') and t != self.ego_t and abs(s) < 9 + length / 2:
            return False
        speed = self._speed_at(s, t, length)
        if speed is None or not self.free(round(t, 2), s, length, 1.6):
            return False
        place = t + float(self.rng.normal(0, 0.12))
        if kind == 'bicycle':
            place = float(np.sign(t)) * (self.road.half_lanes - 0.5)
        self.add(kind, Spot(s, place, 0.0 if t < 0 else np.pi, (speed, 0.0), 'stopped'))
        return True

    def park(self, kind: str, s: float, side: int) -> bool:
        """Park a vehicle at the kerb, if there is room."""
        length = LENGTHS[kind]
        if self.road.parking == 0 or not self.road.clear_of_crossings(s, 8 + length / 2):
            return False
        if not self.free(('kerb', side), s, length, 0.5):
            return False
        t = self.road.half_lanes + self.road.parking / 2 + 0.2 + float(self.rng.normal(0, 0.08))
        turn = (0.0 if side < 0 else np.pi) + float(self.rng.normal(0, 0.015))
        self.add(kind, Spot(s, side * t, turn))
        return True

    def walk(self, s: float, side: int, kind: str = 'person') -> None:
        """A person on the sidewalk, walking or standing."""
        rng = self.rng
        t = self.road.half + float(rng.uniform(1.0, max(1.2, self.road.pavement - 0.3)))
        if not self.free(('pavement', side, round(t)), s, 0.7, 0.25):
            return
        way = pick(rng, (-1.0, 1.0))
        pace = float(rng.uniform(1.0, 1.7)) * way if rng.random() < 0.8 else 0.0
        turn = (0.0 if way > 0 else np.pi) if pace else float(rng.uniform(-np.pi, np.pi))
        z = KERB_HEIGHT if self.road.clear_of_crossings(s, 0.3) else 0.0
        self.things.append(person(rng, kind, Spot(s, side * t, turn, (pace, 0.0), z=z)))

    def cross(self, c: Crossing, people: int) -> None:
        """People on the zebra of a crossing where the road's traffic waits."""
        for _ in range(people):
            way = pick(self.rng, (-1.0, 1.0))
            s = c.s - (c.half + 1.6 + float(self.rng.uniform(0, 2.0)))
            t = float(self.rng.uniform(-self.road.half, self.road.half))
            if self.free(('zebra', c.s), t, 0.8, 0.2):
                speed = (0.0, way * float(self.rng.uniform(1.0, 1.6)))
                self.things.append(person(self.rng, 'person', Spot(s, t, way * np.pi / 2, speed)))

    def side_street(self, c: Crossing) -> None:
        """Cars on a side street: waiting, or crossing while the road waits."""
        going = self.red is c
        for side in (-1, 1):
            t = self.road.half + 9.0 + float(self.rng.uniform(0, 2))
            for _ in range(int(self.rng.integers(0, 4))):
                kind = pick(self.rng, ('car', 'car', 'car', 'car', 'truck', 'bus', 'motorcycle'))
                t += LENGTHS[kind] / 2
                speed = (0.0, -side * 7.0 if going else 0.0)
                lane = c.s + side * c.half * 0.5
                self.add(kind, Spot(lane, side * t, -side * np.pi / 2, speed, 'stopped'))
                t += LENGTHS[kind] / 2 + (8.0 if going else 1.8)

    def building_site(self, s: float, side: int) -> None:
        """An excavator at the kerb behind cones and barriers."""
        rng, road = self.rng, self.road
        if not self.free(('kerb', side), s, 22.0, 1.0):
            return
        machine = Spot(s + 2, side * (road.half + 1.4), float(rng.uniform(-0.3, 0.3)))
        yellow = colours(rng, (0.62, 0.36, 0.02), (0.5, 0.5, 0.5))
        self.things.append(machine.thing('construction', [excavator()], yellow))
        edge = road.half_lanes + 0.25
        for k in range(7):
            spot = Spot(s - 9 + 3 * k, side * (edge + float(rng.normal(0, 0.08))), 0.0)
            self.things.append(spot.thing('cone', [furniture.cone()], colours(rng, (0.8, 0.2, 0))))
        red = colours(rng, pick(rng, [(0.55, 0.03, 0.02), (0.75, 0.25, 0.02)]))
        for along, count in ((-10.5, 2), (7.5, 2)):
            for k in range(count):
                spot = Spot(s + along, side * (edge + 1.1 + 2.1 * k), 0.0)
                self.things.append(spot.thing('barrier', [furniture.barrier()], red))
        for k in range(2):
            self.walk(s - 5 + 9 * k + float(rng.uniform(-1, 1)), side, 'worker')
