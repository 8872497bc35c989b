"""Trees, hedges and the ground."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .materials import BARK, GRASS, HEDGE, LEAVES
from .meshes import Mesh, box, ellipsoid, merge, patch, quad, tube


@lru_cache(maxsize=None)
def tree(variant: int) -> Mesh:
    """A broad tree about 7 m tall: a trunk with boughs, dark cores, a cloud of leaf clumps.

    Normals of the clumps point outwards, so that the crown is lit as one round body.
    """
    rng = np.random.default_rng(1000 + variant)
    height, lean = rng.uniform(2.0, 2.8), rng.normal(0, 0.12, 2)
    fork = np.array([lean[0], lean[1], height])
    parts = [tube((0, 0, 0), tuple(fork), 0.17, 0.11, BARK, 8)]
    lumps = []
    for k in range(6):
        a, r = 2 * np.pi * k / 6 + rng.uniform(-0.4, 0.4), rng.uniform(0.7, 1.5)
        lumps.append(
            (
                fork + np.array((r * np.cos(a), r * np.sin(a), rng.uniform(0.8, 2.2))),
                rng.uniform(1.0, 1.45),
            )
        )
    lumps.append((fork + np.array((0, 0, 2.6)), 1.5))
    middle = fork + np.array((0, 0, 1.6))
    for centre, radius in lumps:
        parts.append(tube(tuple(fork), tuple(fork + 0.8 * (centre - fork)), 0.08, 0.03, BARK, 5))
        core = ellipsoid(tuple(centre), (radius * 0.8,) * 3, LEAVES, 6, 9)
        core.tex = np.stack(
            [
                np.full(core.tex.shape[:2], 0.22),
                core.tex[..., 0] + core.tex[..., 1],
                core.tex[..., 2],
            ],
            -1,
        )
        parts.append(core)
        count = 120
        way = rng.normal(size=(count, 3))
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        at = centre + way * radius * rng.uniform(0.75, 1.08, (count, 1))
        corners = at[:, None] + rng.normal(0, 0.14, (count, 3, 3))
        outward = at - middle
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        normals = np.repeat((outward * 0.8 + way * 0.5)[:, None], 3, 1)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        tone = np.clip(
            0.25
            + 0.4 * np.linalg.norm(at - centre, axis=1) / radius
            + 0.12 * (at[:, 2] - fork[2])
            + rng.normal(0, 0.12, count),
            0.1,
            1.2,
        )
        tex = np.stack(
            [np.repeat(tone[:, None], 3, 1), corners[..., 0] + corners[..., 1], corners[..., 2]], -1
        )
        parts.append(Mesh(corners, normals, tex, np.full(count, LEAVES, np.int32)))
    return merge(*parts)


def hedge(length: float, height: float) -> Mesh:
    """A hedge along x."""
    return box((0, -0.45, 0), (length, 0.45, height), HEDGE, taper=(0.1, 0.12))


def hill(radius: float, height: np.ndarray) -> Mesh:
    """The wooded rise that closes the horizon all around, (n,) heights."""
    angle = np.linspace(0, 2 * np.pi, len(height))
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    rise = np.stack([0 * angle, 0 * angle, height], -1)
    points = np.stack([ring * radius, ring * radius * 1.08 + rise])
    tex = np.stack([angle * radius * 0.15, 0 * angle, 0 * angle], -1)
    return patch(
        points,
        HEDGE,
        np.stack([tex, tex + np.array((0, 4, 0))]),
        np.stack([-ring + (0, 0, 0.6)] * 2),
    )


def ground(extent: float) -> Mesh:
    """The land below everything."""
    side = [
        (-extent, -extent, -0.05),
        (extent, -extent, -0.05),
        (extent, extent, -0.05),
        (-extent, extent, -0.05),
    ]
    return quad(side, GRASS, [(x, y) for x, y, _ in side])
