"""Street furniture, trees, buildings: what stands still."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .materials import (
    BARK,
    BARRIER,
    BLACK,
    CONE,
    FACADE,
    FENCE,
    GRASS,
    HEDGE,
    LEAVES,
    LIGHT_FACE,
    METAL,
    PLAIN,
    PLAIN_B,
    ROOF,
    SHINGLE,
    SIGN,
    STOP_SIGN,
    STREET_LAMP,
)
from .meshes import Mesh, box, ellipsoid, merge, patch, quad, tube


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
    """A traffic light facing +x, its origin at the bottom: 0.36 m wide, 1.05 m tall, with visors."""
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
        parts.append(patch(np.stack([rim + (0.10, 0, 0), rim + (0.28, 0, -0.03)]), BLACK))
    return merge(*parts)


@lru_cache(maxsize=None)
def stop_plate() -> Mesh:
    """A stop sign 0.76 m across facing +x, centred on the origin; its back is grey."""
    angle = np.pi / 8 + np.arange(9) * np.pi / 4
    rim = np.stack([0 * angle, np.cos(angle), np.sin(angle)], -1) / np.cos(np.pi / 8)
    hub = np.zeros_like(rim)
    tex = np.stack([hub, rim[:, [1, 2, 0]]])
    front = patch(np.stack([hub, rim]) * 0.38 + (0.03, 0, 0), STOP_SIGN, tex)
    back = patch(np.stack([hub, rim]) * 0.38 + (0.015, 0, 0), METAL)
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
    # Seen from the front, +y is on the left, so u runs against it.
    tex = grid[..., [1, 2, 0]] * (1, 1, 1)
    return merge(
        patch(grid * (1, w, h) + (0.03, 0, 0), SIGN, tex),
        patch(grid * (1, w, h) + (0.015, 0, 0), METAL),
    )


@lru_cache(maxsize=None)
def cone() -> Mesh:
    """A traffic cone 0.72 m tall."""
    angle = np.linspace(0, 2 * np.pi, 13)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    points = np.stack([0.15 * ring + (0, 0, 0.04), 0.025 * ring + (0, 0, 0.72)])
    tex = np.stack([angle * 0.1, 0 * angle + 0, 0 * angle], -1)
    tex = np.stack([tex + (0, 0.04, 0), tex + (0, 0.72, 0)])
    return merge(
        patch(points, CONE, tex, np.stack([ring, ring])),
        box((-0.2, -0.2, 0), (0.2, 0.2, 0.04), BLACK),
    )


@lru_cache(maxsize=None)
def barrier() -> Mesh:
    """A striped plastic barrier, 1.9 m wide across y, 1 m tall."""
    body = box((-0.25, -0.95, 0.0), (0.25, 0.95, 0.35), BARRIER, taper=(0.10, 0.0))
    return merge(body, box((-0.15, -0.95, 0.35), (0.15, 0.95, 1.0), BARRIER, taper=(0.05, 0.0)))


@lru_cache(maxsize=None)
def tree(variant: int) -> Mesh:
    """A broad tree about 7 m tall: a trunk with boughs, a dark core, a cloud of leaf clumps whose normals
    point outwards so that the crown is lit as one round body.
    """
    rng = np.random.default_rng(1000 + variant)
    height, lean = rng.uniform(2.0, 2.8), rng.normal(0, 0.12, 2)
    fork = np.array([lean[0], lean[1], height])
    parts = [tube((0, 0, 0), tuple(fork), 0.17, 0.11, BARK, 8)]
    lumps = []
    for k in range(6):
        a, r = 2 * np.pi * k / 6 + rng.uniform(-0.4, 0.4), rng.uniform(0.7, 1.5)
        lumps.append(
            (fork + (r * np.cos(a), r * np.sin(a), rng.uniform(0.8, 2.2)), rng.uniform(1.0, 1.45))
        )
    lumps.append((fork + (0, 0, 2.6), 1.5))
    middle = fork + (0, 0, 1.6)
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


def building(
    width: float, depth: float, height: float, rng: np.random.Generator, style: str
) -> Mesh:
    """A house with its front along x in [0, width] at y = 0 and its body towards +y."""
    parts = [box((0, 0, 0), (width, depth, height), FACADE, top=ROOF)]
    if style == 'house':
        rise, over = min(3.2, width * 0.33), 0.45
        mid = depth / 2
        for y0, y1 in ((-over, mid), (depth + over, mid)):
            run = np.hypot(y1 - y0, rise)
            parts.append(
                quad(
                    [
                        (-over, y0, height - 0.15),
                        (width + over, y0, height - 0.15),
                        (width + over, y1, height + rise),
                        (-over, y1, height + rise),
                    ],
                    SHINGLE,
                    [(0, 0), (width + 2 * over, 0), (width + 2 * over, run), (0, run)],
                )
            )
        for x in (0.0, width):
            parts.append(
                patch(
                    np.array([[(x, 0, height), (x, depth, height)], [(x, mid, height + rise)] * 2]),
                    PLAIN,
                )
            )
        parts.append(
            box(
                (width * 0.7, mid + 0.8, height),
                (width * 0.7 + 0.7, mid + 1.5, height + rise + 0.7),
                PLAIN,
            )
        )
        return merge(*parts)
    parts.append(
        box((-0.12, -0.22, height - 0.35), (width + 0.12, depth, height + 0.25), PLAIN_B, top=ROOF)
    )
    if style == 'town':
        parts.append(box((-0.02, -0.12, 3.75), (width + 0.02, 0.0, 4.0), PLAIN_B))
        if rng.random() < 0.6:
            z, out = 2.75, rng.uniform(0.9, 1.4)
            parts.append(
                quad(
                    [
                        (0.3, 0, z + 0.55),
                        (width - 0.3, 0, z + 0.55),
                        (width - 0.3, -out, z),
                        (0.3, -out, z),
                    ],
                    SHINGLE,
                )
            )
        if rng.random() < 0.4:
            for k in range(int(height // 3.4) - 1):
                z = 4.2 + 3.4 * k
                if z + 1.5 < height:
                    x = width * 0.5 - 1.4
                    parts.append(box((x, -1.0, z), (x + 2.8, 0, z + 0.18), PLAIN_B))
                    parts.append(box((x, -1.0, z + 0.18), (x + 2.8, -0.95, z + 1.05), BLACK))
    if style == 'office' and rng.random() < 0.7:
        parts.append(
            box(
                (width * 0.3, depth * 0.3, height),
                (width * 0.6, depth * 0.6, height + 2.5),
                PLAIN_B,
                top=ROOF,
            )
        )
    return merge(*parts)


def hedge(length: float, height: float) -> Mesh:
    """A hedge along x."""
    return box((0, -0.45, 0), (length, 0.45, height), HEDGE, taper=(0.1, 0.12))


def fence(length: float, height: float) -> Mesh:
    """A board fence along x."""
    return box((0, -0.04, 0), (length, 0.04, height), FENCE)


def hill(radius: float, height: np.ndarray) -> Mesh:
    """The wooded rise that closes the horizon all around, (n,) heights."""
    angle = np.linspace(0, 2 * np.pi, len(height))
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    rise = np.stack([0 * angle, 0 * angle, height], -1)
    points = np.stack([ring * radius, ring * radius * 1.08 + rise])
    tex = np.stack([angle * radius * 0.15, 0 * angle, 0 * angle], -1)
    return patch(
        points, HEDGE, np.stack([tex, tex + (0, 4, 0)]), np.stack([-ring + (0, 0, 0.6)] * 2)
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


__all__ = [
    'barrier',
    'building',
    'cone',
    'ellipsoid',
    'fence',
    'ground',
    'hedge',
    'hill',
    'mast',
    'pole',
    'sign_plate',
    'signal_head',
    'stop_plate',
    'street_lamp',
    'tree',
]
