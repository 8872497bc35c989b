"""Street furniture: posts, lamps, signals, signs, cones, barriers, as cached meshes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .materials import BARRIER, BLACK, CONE, LIGHT_FACE, METAL, SIGN, STOP_SIGN, STREET_LAMP
from .meshes import Mesh, box, merge, patch, quad, tube


@lru_cache(maxsize=None)
def pole(height: float, radius: float = 0.045) -> Mesh:
    """A plain post."""
    return tube((0, 0, 0), (0, 0, height), radius, radius * 0.9, METAL, 8)


@lru_cache(maxsize=None)
def street_lamp(height: float) -> Mesh:
    """A lamp post whose arm points along +x."""
    return merge(
        tube((0, 0, 0), (0, 0, height), 0.10, 0.06, METAL, 8),
        tube((0, 0, 0), (0, 0, 0.9), 0.15, 0.13, METAL),
        tube((0, 0, height), (1.7, 0, height + 0.35), 0.05, 0.04, METAL, 6),
        box((1.5, -0.14, height + 0.28), (2.3, 0.14, height + 0.42), METAL),
        quad(
            [
                (1.6, -0.11, height + 0.275),
                (2.25, -0.11, height + 0.275),
                (2.25, 0.11, height + 0.275),
                (1.6, 0.11, height + 0.275),
            ],
            STREET_LAMP,
        ),
    )


@lru_cache(maxsize=None)
def mast(height: float, reach: float) -> Mesh:
    """The gantry of overhead signals; its arm points along +x."""
    return merge(
        tube((0, 0, 0), (0, 0, height + 0.4), 0.13, 0.09, METAL, 8),
        tube((0, 0, height), (reach, 0, height + 0.25), 0.08, 0.045, METAL, 8),
    )


@lru_cache(maxsize=None)
def signal_head() -> Mesh:
    """A traffic light facing +x, its origin at the bottom: 0.36 m wide, 1.05 m tall."""
    parts = [
        box((-0.16, -0.18, 0.0), (0.10, 0.18, 1.05), BLACK),
        quad(
            [(0.101, -0.18, 0.0), (0.101, 0.18, 0.0), (0.101, 0.18, 1.05), (0.101, -0.18, 1.05)],
            LIGHT_FACE,
            [(-0.55, -1.6), (0.55, -1.6), (0.55, 1.6), (-0.55, 1.6)],
        ),
    ]
    for k in range(3):
        z = 0.525 + 0.328 * (k - 1)
        angle = np.linspace(0.1, np.pi - 0.1, 8)
        rim = np.stack([0 * angle, 0.15 * np.cos(angle), z + 0.15 * np.sin(angle)], -1)
        parts.append(
            patch(np.stack([rim + np.array((0.10, 0, 0)), rim + np.array((0.28, 0, -0.03))]), BLACK)
        )
    return merge(*parts)


@lru_cache(maxsize=None)
def stop_plate() -> Mesh:
    """A stop sign 0.76 m across facing +x, centred on the origin; its back is grey."""
    angle = np.pi / 8 + np.arange(9) * np.pi / 4
    rim = np.stack([0 * angle, np.cos(angle), np.sin(angle)], -1) / np.cos(np.pi / 8)
    hub = np.zeros_like(rim)
    tex = np.stack([hub, rim[:, [1, 2, 0]]])
    front = patch(np.stack([hub, rim]) * 0.38 + (0.06, 0, 0), STOP_SIGN, tex)
    back = patch(np.stack([hub, rim]) * 0.38 + (0.05, 0, 0), METAL)
    return merge(front, back)


@lru_cache(maxsize=None)
def sign_plate(kind: int) -> Mesh:
    """A traffic sign facing +x, centred on the origin; kinds as in `materials.sign`."""
    w, h = {0: (0.32, 0.32), 1: (1.5, 0.8), 2: (0.45, 0.45), 3: (0.3, 0.3)}[kind]
    if kind in (1, 3):
        shape = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], float)
    elif kind == 2:
        shape = np.array([(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0), (0, -1.3)])
    else:
        angle = np.linspace(0, 2 * np.pi, 21)
        shape = np.stack([np.cos(angle), np.sin(angle)], -1)
    rim = np.stack([0 * shape[:, 0], shape[:, 0], shape[:, 1]], -1)
    hub = np.zeros_like(rim)
    grid = np.stack([hub, rim])
    tex = grid[..., [1, 2, 0]]
    return merge(
        patch(grid * (1, w, h) + (0.06, 0, 0), SIGN, tex),
        patch(grid * (1, w, h) + (0.05, 0, 0), METAL),
    )


@lru_cache(maxsize=None)
def cone() -> Mesh:
    """A traffic cone 0.72 m tall."""
    angle = np.linspace(0, 2 * np.pi, 13)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    points = np.stack([0.15 * ring + (0, 0, 0.04), 0.025 * ring + (0, 0, 0.72)])
    tex = np.stack([angle * 0.1, 0 * angle + 0, 0 * angle], -1)
    tex = np.stack([tex + np.array((0, 0.04, 0)), tex + np.array((0, 0.72, 0))])
    return merge(
        patch(points, CONE, tex, np.stack([ring, ring])),
        box((-0.2, -0.2, 0), (0.2, 0.2, 0.04), BLACK),
    )


@lru_cache(maxsize=None)
def barrier() -> Mesh:
    """A striped plastic barrier, 1.9 m wide across y, 1 m tall."""
    body = box((-0.25, -0.95, 0.0), (0.25, 0.95, 0.35), BARRIER, taper=(0.10, 0.0))
    return merge(body, box((-0.15, -0.95, 0.35), (0.15, 0.95, 1.0), BARRIER, taper=(0.05, 0.0)))
