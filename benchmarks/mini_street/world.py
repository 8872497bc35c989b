"""A street at any moment: things, where they are, and their triangles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .materials import PARAMETERS
from .meshes import Mesh
from .road import Road
from .weather import Weather


@dataclass
class Thing:
    """One object.

    Attributes:
        kind: a key of `kinds.KINDS`.
        meshes: one mesh, or the poses of a gait.
        s, t: place at time 0 in road coordinates (metres).
        turn: heading relative to the road's, radians.
        speed: (along s, along t) in m/s.
        z: height of its origin.
        scale: its size relative to the mesh.
        colours: (PARAMETERS,) parameters of its materials.
        group: things that are annotated as one (rider and machine) share a number >= 0.
        stride: metres travelled per cycle of the gait.
        still: for vehicles that do not move: 'parked' or 'stopped'.
        fixed: world coordinates are given by the mesh itself (roads, ground).
    """

    kind: str
    meshes: list[Mesh]
    s: float = 0.0
    t: float = 0.0
    turn: float = 0.0
    speed: tuple[float, float] = (0.0, 0.0)
    z: float = 0.0
    scale: float = 1.0
    colours: np.ndarray = field(default_factory=lambda: np.zeros(PARAMETERS))
    group: int = -1
    stride: float = 1.5
    still: str = 'parked'
    fixed: bool = False

    @property
    def moving(self) -> bool:
        """Whether it moves."""
        return self.speed != (0.0, 0.0)

    def mesh(self, time: float) -> Mesh:
        """The pose of its gait at a time."""
        if len(self.meshes) == 1:
            return self.meshes[0]
        phase = np.hypot(*self.speed) * time / (self.stride * self.scale) + 0.137 * self.colours[6]
        return self.meshes[int(phase * len(self.meshes)) % len(self.meshes)]

    def pose(self, road: Road, time: float) -> tuple[float, float, float]:
        """World x, y and heading at a time."""
        s, t = self.s + self.speed[0] * time, self.t + self.speed[1] * time
        x, y = road.point(s, t)
        return float(x), float(y), float(road.heading(s) + self.turn)


@dataclass
class Scene:
    """Triangles of a world at one moment, those of one thing following each other.

    Attributes:
        points, normals, tex: (T, 3, 3).
        material, owner: (T,).
        parameters: (things, PARAMETERS).
        lamps: (L, 3) street lamps.
    """

    points: np.ndarray
    normals: np.ndarray
    tex: np.ndarray
    material: np.ndarray
    owner: np.ndarray
    parameters: np.ndarray
    lamps: np.ndarray


class World:
    """A street with everything in it.

    Args:
        road: its plan.
        weather: its light.
        things: its objects, in a fixed order: an object's number is its place in this list.
        lamps: (L, 3) lights of the street lamps, in the world.
        ego: (t, speed) of the car that carries the cameras; it is at s = 0 at time 0.
    """

    def __init__(
        self,
        road: Road,
        weather: Weather,
        things: list[Thing],
        lamps: np.ndarray,
        ego: tuple[float, float],
    ) -> None:
        self.road, self.weather, self.lamps = road, weather, lamps
        self.things = sorted(things, key=lambda thing: thing.moving)
        self.ego_t, self.ego_speed = ego
        self.fixed = sum(not thing.moving for thing in self.things)
        self.parameters = np.array([thing.colours for thing in self.things])
        self._still = self._gather(range(self.fixed), 0.0)

    def _gather(self, numbers: range, time: float) -> tuple[np.ndarray, ...]:
        """Placed triangles of some things."""
        parts, owners = [], []
        for number in numbers:
            thing = self.things[number]
            mesh = thing.mesh(time)
            if not thing.fixed:
                x, y, yaw = thing.pose(self.road, time)
                mesh = mesh.placed(x, y, thing.z, yaw, thing.scale)
            parts.append((mesh.points, mesh.normals, mesh.tex, mesh.material))
            owners.append(np.full(len(mesh.material), number, np.int32))
        if not parts:
            none = np.zeros((0, 3, 3))
            return none, none, none, np.zeros(0, np.int32), np.zeros(0, np.int32)
        return (*(np.concatenate(column) for column in zip(*parts)), np.concatenate(owners))

    def at(self, time: float) -> Scene:
        """The triangles at a time, in seconds."""
        moved = self._gather(range(self.fixed, len(self.things)), time)
        points, normals, tex, material, owner = (
            np.concatenate(pair) for pair in zip(self._still, moved)
        )
        return Scene(points, normals, tex, material, owner, self.parameters, self.lamps)

    def ego_pose(self, time: float) -> tuple[float, float, float]:
        """World x, y and heading of the ego car's origin (between its rear wheels)."""
        s = self.ego_speed * time
        x, y = self.road.point(s, self.ego_t)
        return float(x), float(y), float(self.road.heading(s))
