"""One moment of a world, seen by one or several cameras of the ego car."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import Lens, ego2world, sway
from .render import Picture, Shadows, cast_shadows, render
from .world import Scene, World


@dataclass
class Moment:
    """A world at a time: scene, pose of the ego car (4, 4), shadows."""

    world: World
    scene: Scene
    ego: np.ndarray
    shadows: Shadows

    def picture(self, lens: Lens, seed: tuple[int, ...]) -> Picture:
        """What a camera sees; the seed is that of the sensor's noise."""
        rng = np.random.default_rng(seed)
        return render(
            self.scene, self.world.weather, self.shadows, lens, self.ego @ lens.cam2ego(), rng
        )


def moment(world: World, time: float, seed: int) -> Moment:
    """Freeze a world at a time in seconds; the seed is that of the car's swaying."""
    ego = ego2world(*world.ego_pose(time), *sway(seed, time))
    scene = world.at(time)
    return Moment(world, scene, ego, cast_shadows(scene, world.weather, ego[:3, 3]))
