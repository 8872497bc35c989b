"""The street's plan: a straight or gently curved road, crossed by side streets at right angles.

Road coordinates are (s, t): s metres along the road, t metres to the left of its middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .materials import ASPHALT, KERB, PARAMETERS, PAVING
from .meshes import Mesh, merge, patch

KERB_HEIGHT = 0.13
SIDE_STREET = 95.0


@dataclass(frozen=True)
class Crossing:
    """A side street.

    Attributes:
        s: where its middle meets the road.
        half: half of its width in metres.
        control: 'signal', 'stop' (the side street has stop signs) or 'none'.
    """

    s: float
    half: float
    control: str


@dataclass(frozen=True)
class Road:
    """The plan of a street; lengths in metres.

    Attributes:
        curvature: 1/radius, positive to the left.
        lanes: lanes on each side.
        lane: width of one.
        parking: width of the parking strip on each side, 0 for none.
        pavement: width of the sidewalk.
        crossings: the side streets, in order of s.
        start, stop: its ends.
    """

    curvature: float
    lanes: int
    lane: float
    parking: float
    pavement: float
    crossings: tuple[Crossing, ...]
    start: float = -260.0
    stop: float = 420.0

    @property
    def half_lanes(self) -> float:
        """From the middle to the edge of the outermost lane."""
        return self.lanes * self.lane

    @property
    def half(self) -> float:
        """From the middle to the kerb."""
        return self.half_lanes + self.parking + 0.35

    def heading(self, s: np.ndarray | float) -> np.ndarray | float:
        """Direction of travel at s, in radians from the world's x axis."""
        return self.curvature * s

    def point(self, s: np.ndarray | float, t: np.ndarray | float) -> tuple:
        """World (x, y) of road coordinates."""
        if self.curvature == 0:
            return s + 0 * t, t + 0 * s
        k, a = self.curvature, self.heading(s)
        return np.sin(a) / k - t * np.sin(a), (1 - np.cos(a)) / k + t * np.cos(a)

    def blocks(self) -> list[tuple[float, float]]:
        """Stretches of s between side streets."""
        edges = [self.start]
        for c in self.crossings:
            edges += [c.s - c.half, c.s + c.half]
        edges.append(self.stop)
        return [
            (edges[i], edges[i + 1]) for i in range(0, len(edges), 2) if edges[i + 1] - edges[i] > 1
        ]

    def clear_of_crossings(self, s: float, room: float) -> bool:
        """Whether s is at least so many metres from every side street."""
        return all(abs(s - c.s) > c.half + room for c in self.crossings)

    def parameters(self, yellow: bool, seed: float) -> np.ndarray:
        """Material parameters from p[3] on of the asphalt, see `materials.asphalt`."""
        row = np.zeros(PARAMETERS - 3)
        row[:7] = self.half, self.lanes, self.lane, seed, yellow, 0.0, len(self.crossings)
        pairs = [v for c in self.crossings for v in (c.s, c.half)]
        row[7 : 7 + len(pairs)] = pairs
        return row

    def strip(self, s0: float, s1: float, rows: list[tuple[float, float]], material: int) -> Mesh:
        """A ribbon along the road: rows are (t, z) of its edges, textured by (s, t)."""
        n = 2 if self.curvature == 0 else max(2, int((s1 - s0) / 5) + 1)
        s = np.linspace(s0, s1, n)
        points, tex = [], []
        across = 0.0
        for i, (t, z) in enumerate(rows):
            if i:
                across += abs(z - rows[i - 1][1])
            x, y = self.point(s, np.full(n, t))
            points.append(np.stack([x, y, np.full(n, z)], -1))
            tex.append(np.stack([s, np.full(n, t) + across, 0 * s], -1))
        return patch(np.stack(points), material, np.stack(tex))

    def surface(self) -> Mesh:
        """The carriageway."""
        return self.strip(self.start, self.stop, [(-self.half, 0.0), (self.half, 0.0)], ASPHALT)

    def pavements(self) -> Mesh:
        """Raised sidewalks of the road and of its side streets, with kerbs."""
        parts = []
        for s0, s1 in self.blocks():
            for side in (-1, 1):
                inner, outer = side * self.half, side * (self.half + self.pavement)
                parts.append(self.strip(s0, s1, [(inner, 0.0), (inner, KERB_HEIGHT)], KERB))
                parts.append(
                    self.strip(
                        s0, s1, [(inner, KERB_HEIGHT), (inner + side * 0.16, KERB_HEIGHT)], KERB
                    )
                )
                parts.append(
                    self.strip(
                        s0, s1, [(inner + side * 0.16, KERB_HEIGHT), (outer, KERB_HEIGHT)], PAVING
                    )
                )
        for c in self.crossings:
            for side in (-1, 1):
                for way in (-1, 1):
                    a, b = way * c.half, way * (c.half + self.pavement)
                    near = side * self.half
                    parts.append(
                        self.side_strip(c, side, [(a, 0.0), (a, KERB_HEIGHT)], KERB, abs(near))
                    )
                    parts.append(
                        self.side_strip(
                            c,
                            side,
                            [(a, KERB_HEIGHT), (b, KERB_HEIGHT)],
                            PAVING,
                            self.half + self.pavement,
                        )
                    )
        return merge(*parts)

    def side_strip(
        self, c: Crossing, side: int, rows: list[tuple[float, float]], material: int, begin: float
    ) -> Mesh:
        """A ribbon along a side street: rows are (offset along s, z); side 1 leaves to the left."""
        a = self.heading(c.s)
        along, across = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        origin = np.array(self.point(c.s, 0.0))
        t = np.array([begin, SIDE_STREET]) * side
        points, tex = [], []
        rise = 0.0
        for i, (shift, z) in enumerate(rows):
            if i:
                rise += abs(z - rows[i - 1][1])
            xy = origin + np.outer(t, across) + shift * along
            points.append(np.concatenate([xy, np.full((2, 1), z)], 1))
            tex.append(np.stack([t, np.full(2, shift) + rise, 0 * t], -1))
        return patch(np.stack(points), material, np.stack(tex))

    def side_surface(self, c: Crossing) -> Mesh:
        """The two arms of a side street."""
        return merge(
            *(
                self.side_strip(c, side, [(-c.half, 0.0), (c.half, 0.0)], ASPHALT, self.half)
                for side in (-1, 1)
            )
        )


def plan(rng: np.random.Generator, parking: float | None = None) -> Road:
    """Draw a random street; `parking` sets the width of the parking strips."""
    curvature = float(rng.choice([0, 0, 0, 1, -1]) * rng.uniform(1 / 900, 1 / 350))
    crossings = [Crossing(float(rng.uniform(-80, -40)), 3.6, 'signal')]
    # Every street has both a signal and stop signs, so that no class is rare.
    controls = [*rng.permutation(['signal', 'stop']).tolist(), str(rng.choice(['signal', 'none']))]
    s = float(rng.uniform(24, 60))
    while s < 230 and len(crossings) < 4:
        crossings.append(
            Crossing(s, float(rng.choice([3.6, 3.6, 7.0])), controls[len(crossings) - 1])
        )
        s += float(rng.uniform(55, 110))
    strip = float(rng.choice([0.0, 2.2, 2.3]))
    return Road(
        curvature=curvature,
        lanes=int(rng.choice([1, 1, 2, 2, 3])),
        lane=float(rng.uniform(3.1, 3.6)),
        parking=strip if parking is None else parking,
        pavement=float(rng.uniform(2.4, 4.5)),
        crossings=tuple(crossings),
    )
