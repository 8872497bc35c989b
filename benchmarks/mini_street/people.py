"""Pedestrians, cyclists, motorcyclists and their machines."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .materials import BLACK, CHROME, CLOTH, GLASS, HEADLAMP, PAINT, PLAIN_B, SKIN, TAILLAMP, WHEEL
from .meshes import Mesh, box, ellipsoid, hoop, merge, tube, wheel

WALK_POSES = 8


def _with(mesh: Mesh, material: int) -> Mesh:
    return Mesh(mesh.points, mesh.normals, mesh.tex, np.full_like(mesh.material, material))


def _limb(start: tuple, joint: tuple, end: tuple, r: float, upper: int, lower: int) -> Mesh:
    return merge(
        tube(start, joint, r, r * 0.8, upper, 7),
        ellipsoid(joint, (r * 0.82,) * 3, upper, 4, 6),
        tube(joint, end, r * 0.78, r * 0.55, lower, 7),
    )


def _head(x: float, z: float, hair: bool) -> list[Mesh]:
    parts = [
        ellipsoid((x + 0.01, 0, z), (0.098, 0.08, 0.125), SKIN, 7, 9),
        tube((x - 0.01, 0, z - 0.2), (x, 0, z - 0.08), 0.055, 0.05, SKIN, 7),
    ]
    if hair:
        parts.append(ellipsoid((x - 0.018, 0, z + 0.03), (0.103, 0.09, 0.115), BLACK, 6, 9))
    return parts


@lru_cache(maxsize=None)
def pedestrian(pose: int, bag: bool, coat: bool) -> Mesh:
    """A person 1.75 m tall; pose 0..WALK_POSES-1 through one double step, -1 standing."""
    phase = 2 * np.pi * pose / WALK_POSES
    swing = np.sin(phase) * 0.27 if pose >= 0 else 0.0
    parts = _head(0.02, 1.62, True)
    parts.append(ellipsoid((0.0, 0, 1.22), (0.125, 0.205, 0.29), CLOTH, 8, 10))
    parts.append(ellipsoid((0.0, 0, 1.39), (0.10, 0.22, 0.10), CLOTH, 6, 10))
    parts.append(ellipsoid((0.0, 0, 0.95), (0.125, 0.175, 0.15), CLOTH if coat else PLAIN_B, 6, 9))
    if coat:
        parts.append(tube((0, 0, 0.62), (0, 0, 1.05), 0.2, 0.16, CLOTH, 9))
    for side, s in ((1, swing), (-1, -swing)):
        lift = max(0.0, np.cos(phase) * side) * 0.10 if pose >= 0 else 0.0
        knee = (0.04 + s * 0.7 + lift * 0.5, side * 0.095, 0.50 + lift * 0.3)
        foot = (s * 1.25 - lift, side * 0.095, 0.09 + lift)
        parts.append(_limb((0, side * 0.09, 0.92), knee, foot, 0.085, PLAIN_B, PLAIN_B))
        parts.append(
            ellipsoid((foot[0] + 0.06, foot[1], foot[2] - 0.035), (0.135, 0.05, 0.05), BLACK, 5, 7)
        )
        elbow = (-s * 0.55 - 0.03, side * 0.265, 1.14)
        hand = (-s * 1.05 + 0.05, side * 0.25, 0.90)
        parts.append(_limb((0, side * 0.215, 1.41), elbow, hand, 0.055, CLOTH, CLOTH))
        parts.append(ellipsoid((hand[0], hand[1], hand[2] - 0.05), (0.04, 0.03, 0.06), SKIN, 4, 6))
    if bag:
        parts.append(_with(ellipsoid((-0.19, 0, 1.22), (0.10, 0.15, 0.21), BLACK, 6, 8), PLAIN_B))
    return merge(*parts)


@lru_cache(maxsize=None)
def bicycle() -> Mesh:
    """A bicycle 1.75 m long."""
    parts = []
    for x in (-0.52, 0.53):
        parts.append(hoop(x, 0, 0.345, 0.055, BLACK))
        for k in range(5):
            a = np.pi * k / 5
            d = 0.32 * np.array([np.cos(a), 0, np.sin(a)])
            c = np.array([x, 0, 0.345])
            parts.append(tube(tuple(c - d), tuple(c + d), 0.006, 0.006, CHROME, 3))
    joints = {
        'rear': (-0.52, 0, 0.345),
        'bottom': (-0.05, 0, 0.30),
        'seat': (-0.22, 0, 0.82),
        'head': (0.36, 0, 0.85),
        'front': (0.53, 0, 0.345),
    }
    for a, b in (
        ('rear', 'bottom'),
        ('rear', 'seat'),
        ('bottom', 'seat'),
        ('bottom', 'head'),
        ('seat', 'head'),
        ('head', 'front'),
    ):
        parts.append(tube(joints[a], joints[b], 0.024, 0.024, PAINT, 6))
    parts.append(tube((-0.22, 0, 0.82), (-0.25, 0, 0.95), 0.016, 0.016, CHROME, 5))
    parts.append(ellipsoid((-0.25, 0, 0.97), (0.14, 0.07, 0.035), BLACK, 4, 7))
    parts.append(tube((0.36, 0, 0.85), (0.33, 0, 1.02), 0.016, 0.016, CHROME, 5))
    parts.append(tube((0.33, -0.27, 1.02), (0.33, 0.27, 1.02), 0.017, 0.017, BLACK, 5))
    parts.append(ellipsoid((-0.58, 0, 0.72), (0.03, 0.05, 0.04), TAILLAMP, 4, 6))
    return merge(*parts)


@lru_cache(maxsize=None)
def cyclist(pose: int) -> Mesh:
    """The rider of `bicycle`, feet on the pedals."""
    parts = [
        ellipsoid((-0.20, 0, 1.02), (0.14, 0.16, 0.12), PLAIN_B, 5, 8),
        _with(tube((-0.20, 0, 1.03), (0.10, 0, 1.45), 0.155, 0.185, BLACK, 9), CLOTH),
        ellipsoid((0.11, 0, 1.46), (0.12, 0.21, 0.10), CLOTH, 6, 9),
    ]
    parts += _head(0.22, 1.68, False)
    parts.append(ellipsoid((0.20, 0, 1.745), (0.135, 0.095, 0.08), PAINT, 5, 8))
    angle = 2 * np.pi * pose / WALK_POSES
    for side, a in ((1, angle), (-1, angle + np.pi)):
        foot = (-0.05 + 0.17 * np.cos(a), side * 0.11, 0.32 + 0.17 * np.sin(a))
        knee = (0.18 + 0.08 * np.cos(a), side * 0.12, 0.80 + 0.09 * np.sin(a))
        parts.append(_limb((-0.18, side * 0.09, 0.98), knee, foot, 0.085, PLAIN_B, PLAIN_B))
        parts.append(
            ellipsoid((foot[0] + 0.05, foot[1], foot[2] - 0.02), (0.12, 0.045, 0.045), BLACK, 4, 6)
        )
        parts.append(
            _limb(
                (0.12, side * 0.2, 1.45),
                (0.22, side * 0.27, 1.20),
                (0.35, side * 0.22, 1.05),
                0.05,
                CLOTH,
                SKIN,
            )
        )
    return merge(*parts)


@lru_cache(maxsize=None)
def motorcycle() -> Mesh:
    """A motorcycle 2.1 m long."""
    parts = []
    for x, width in ((-0.68, 0.17), (0.72, 0.12)):
        parts.append(wheel(x, 0, 0.32, width, WHEEL, BLACK, 16))
    parts.append(ellipsoid((0.12, 0, 0.80), (0.33, 0.16, 0.17), PAINT, 6, 10))
    parts.append(ellipsoid((-0.42, 0, 0.80), (0.36, 0.14, 0.09), BLACK, 5, 9))
    parts.append(ellipsoid((-0.72, 0, 0.82), (0.24, 0.11, 0.09), PAINT, 5, 8))
    parts.append(box((-0.30, -0.16, 0.25), (0.32, 0.16, 0.68), CHROME, taper=(0.05, 0.02)))
    parts.append(ellipsoid((0.56, 0, 0.88), (0.17, 0.15, 0.20), PAINT, 6, 9))
    parts.append(ellipsoid((0.69, 0, 0.90), (0.06, 0.10, 0.09), HEADLAMP, 5, 8))
    parts.append(ellipsoid((0.58, 0, 1.10), (0.09, 0.13, 0.14), GLASS, 5, 8))
    parts.append(ellipsoid((-0.95, 0, 0.80), (0.04, 0.09, 0.05), TAILLAMP, 5, 7))
    for y in (-0.10, 0.10):
        parts.append(tube((0.50, y, 0.95), (0.72, y, 0.32), 0.03, 0.03, CHROME, 6))
        parts.append(tube((-0.15, y, 0.42), (-0.68, y, 0.32), 0.035, 0.035, BLACK, 6))
    parts.append(tube((-0.2, -0.19, 0.35), (-0.95, -0.19, 0.48), 0.045, 0.06, CHROME, 7))
    parts.append(tube((0.42, -0.38, 1.06), (0.42, 0.38, 1.06), 0.018, 0.018, BLACK, 6))
    for y in (-0.33, 0.33):
        parts.append(ellipsoid((0.46, y, 1.20), (0.02, 0.07, 0.045), BLACK, 4, 6))
    return merge(*parts)


@lru_cache(maxsize=None)
def motorcyclist() -> Mesh:
    """The rider of `motorcycle`, with a helmet."""
    parts = [
        ellipsoid((-0.33, 0, 0.95), (0.17, 0.18, 0.13), PLAIN_B, 5, 9),
        _with(tube((-0.32, 0, 0.97), (-0.05, 0, 1.38), 0.165, 0.20, BLACK, 9), CLOTH),
        ellipsoid((-0.04, 0, 1.38), (0.13, 0.22, 0.11), CLOTH, 6, 9),
        ellipsoid((0.06, 0, 1.60), (0.15, 0.125, 0.155), PAINT, 7, 10),
        ellipsoid((0.115, 0, 1.61), (0.11, 0.105, 0.07), GLASS, 5, 9),
    ]
    for side in (-1, 1):
        foot = (-0.18, side * 0.24, 0.36)
        parts.append(
            _limb(
                (-0.30, side * 0.12, 0.93), (0.10, side * 0.25, 0.78), foot, 0.095, PLAIN_B, PLAIN_B
            )
        )
        parts.append(
            ellipsoid((foot[0] + 0.05, foot[1], foot[2] - 0.04), (0.14, 0.05, 0.06), BLACK, 4, 7)
        )
        parts.append(
            _limb(
                (-0.03, side * 0.21, 1.38),
                (0.14, side * 0.34, 1.15),
                (0.40, side * 0.33, 1.08),
                0.06,
                CLOTH,
                CLOTH,
            )
        )
        parts.append(ellipsoid((0.42, side * 0.33, 1.07), (0.06, 0.045, 0.045), BLACK, 4, 6))
    return merge(*parts)
