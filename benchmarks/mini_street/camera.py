"""Cameras: a pinhole, where it is mounted, and where it looks.

Camera coordinates: x right, y down, z forward. Ego and world: x forward, y left, z up.
Pixel i covers [i, i+1].
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

# Columns: the camera's right, down and forward axes in the frame of its mount.
_AXES = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

# How many times smaller than the real cameras' pictures each preset's are, per side.
CROPS = {'tiny': 1, 'small': 2, 'standard': 1, 'video': 2}


@dataclass(frozen=True)
class Lens:
    """A pinhole camera on a car.

    Attributes:
        height, width: image size in pixels.
        focal: focal length in pixels.
        cx, cy: principal point.
        mount: (x, y, z) in the ego frame.
        yaw, pitch: mount angles in degrees, yaw to the left, pitch downwards.
    """

    height: int
    width: int
    focal: float
    cx: float
    cy: float
    mount: tuple[float, float, float]
    yaw: float = 0.0
    pitch: float = 0.0

    def cropped(self, factor: int) -> Lens:
        """The middle of the picture, of a height and width `factor` times as small."""
        height, width = self.height // factor, self.width // factor
        return replace(
            self,
            height=height,
            width=width,
            cx=self.cx - (self.width - width) / 2,
            cy=self.cy - (self.height - height) / 2,
        )

    def cam2ego(self) -> np.ndarray:
        """(4, 4) from camera to ego coordinates."""
        matrix = np.eye(4)
        matrix[:3, :3] = (
            Rotation.from_euler('ZY', [self.yaw, self.pitch], degrees=True).as_matrix() @ _AXES
        )
        matrix[:3, 3] = self.mount
        return matrix

    def cam2img(self) -> np.ndarray:
        """(3, 3) intrinsics."""
        return np.array([[self.focal, 0.0, self.cx], [0.0, self.focal, self.cy], [0.0, 0.0, 1.0]])


def ego2world(
    x: float, y: float, heading: float, pitch: float = 0.0, roll: float = 0.0
) -> np.ndarray:
    """(4, 4) pose of the car; angles in radians."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('ZYX', [heading, pitch, roll]).as_matrix()
    matrix[:3, 3] = x, y, 0.0
    return matrix


def sway(seed: int, time: float) -> tuple[float, float]:
    """Pitch and roll of a driving car in radians: slow swings of a few tenths of a degree."""
    phase = np.random.default_rng((seed, 77)).uniform(0, 2 * np.pi, 4)
    pitch = 0.30 * np.sin(4.1 * time + phase[0]) + 0.16 * np.sin(9.7 * time + phase[1])
    roll = 0.22 * np.sin(3.1 * time + phase[2]) + 0.12 * np.sin(7.3 * time + phase[3])
    return float(np.radians(pitch)), float(np.radians(roll))
