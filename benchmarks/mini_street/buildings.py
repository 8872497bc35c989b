"""Houses and what encloses gardens."""

from __future__ import annotations

import numpy as np

from .materials import BLACK, FACADE, FENCE, PLAIN, PLAIN_B, ROOF, SHINGLE
from .meshes import Mesh, box, merge, patch, quad


def building(
    width: float, depth: float, height: float, rng: np.random.Generator, style: str
) -> Mesh:
    """A house with its front along x in [0, width] at y = 0 and its body towards +y."""
    parts = [box((0, 0, 0), (width, depth, height), FACADE, top=ROOF)]
    if style == 'suburb':
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


def fence(length: float, height: float) -> Mesh:
    """A board fence along x."""
    return box((0, -0.04, 0), (length, 0.04, height), FENCE)


def garden_wall(length: float, height: float) -> Mesh:
    """A wall along x."""
    return box((0, -0.15, 0), (length, 0.15, height), PLAIN)
