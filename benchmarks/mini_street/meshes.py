"""Triangle meshes and the few solids that everything in the street is built from.

Local frames: x forward, y left, z up, in metres, z = 0 on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Mesh:
    """A soup of T triangles.

    Attributes:
        points: (T, 3, 3) vertices.
        normals: (T, 3, 3) unit normals at them.
        tex: (T, 3, 3) texture coordinates u, v, w.
        material: (T,) codes of `materials`.
    """

    points: np.ndarray
    normals: np.ndarray
    tex: np.ndarray
    material: np.ndarray

    def placed(self, x: float, y: float, z: float, yaw: float, scale: float = 1.0) -> Mesh:
        """The mesh turned by yaw about z, scaled and moved."""
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
        return Mesh(
            (self.points @ turn) * scale + (x, y, z), self.normals @ turn, self.tex, self.material
        )

    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner of the axis-aligned box around it."""
        flat = self.points.reshape(-1, 3)
        return flat.min(0), flat.max(0)


def merge(*meshes: Mesh) -> Mesh:
    """One mesh of several."""
    return Mesh(
        *(
            np.concatenate([getattr(m, name) for m in meshes])
            for name in ('points', 'normals', 'tex', 'material')
        )
    )


def _triangles(grid: np.ndarray) -> np.ndarray:
    """Cut an (m, n, 3) grid of values into (2 (m-1)(n-1), 3, 3) corners of triangles."""
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    return np.concatenate(
        [np.stack([a, b, c], -2).reshape(-1, 3, 3), np.stack([a, c, d], -2).reshape(-1, 3, 3)]
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def patch(
    points: np.ndarray,
    material: int | np.ndarray,
    tex: np.ndarray | None = None,
    normals: np.ndarray | None = None,
) -> Mesh:
    """A bent sheet.

    Args:
        points: (m, n, 3) grid of vertices.
        material: one code, or one per cell (m-1, n-1).
        tex: (m, n, 3), default the points themselves.
        normals: (m, n, 3) for a smooth look; default flat faces.
    """
    points = np.asarray(points, float)
    corners = _triangles(points)
    if normals is None:
        flat = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        corner_normals = np.repeat(flat[:, None], 3, 1)
    else:
        corner_normals = _triangles(_unit(np.asarray(normals, float)))
    cells = (points.shape[0] - 1, points.shape[1] - 1)
    codes = np.tile(np.broadcast_to(material, cells).reshape(-1), 2).astype(np.int32)
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    keep = area > 1e-8
    mapped = _triangles(points if tex is None else np.asarray(tex, float))
    return Mesh(corners[keep], corner_normals[keep], mapped[keep], codes[keep])


def quad(corners: list, material: int, uv: list | None = None) -> Mesh:
    """A flat rectangle from four corners in turn; uv default to metres along its sides."""
    p = np.asarray(corners, float)
    if uv is None:
        width, height = np.sqrt(((p[1] - p[0]) ** 2).sum()), np.sqrt(((p[3] - p[0]) ** 2).sum())
        uv = [(0, 0), (width, 0), (width, height), (0, height)]
    t = np.zeros((4, 3))
    t[:, : len(uv[0])] = uv
    (ax, ay, az), (bx, by, bz) = p[2] - p[0], p[3] - p[1]
    normal = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
    normal /= max(1e-9, np.sqrt((normal**2).sum()))
    turn = np.array([[0, 1, 2], [0, 2, 3]])
    return Mesh(
        p[turn], np.broadcast_to(normal, (2, 3, 3)), t[turn], np.full(2, material, np.int32)
    )


def soften(mesh: Mesh, degrees: float) -> Mesh:
    """Round a mesh: normals are averaged where faces meet at less than an angle."""
    face = _unit(
        np.cross(mesh.points[:, 1] - mesh.points[:, 0], mesh.points[:, 2] - mesh.points[:, 0])
    )
    _, spot = np.unique(np.round(mesh.points.reshape(-1, 3), 4), axis=0, return_inverse=True)
    spot = spot.reshape(-1, 3)
    normals = mesh.normals.copy()
    for corner in range(spot.max() + 1):
        triangles, vertices = np.nonzero(spot == corner)
        alike = np.abs(face[triangles] @ face[triangles].T)
        signed = np.sign(face[triangles] @ face[triangles].T)
        weights = np.where(alike > np.cos(np.radians(degrees)), signed, 0.0)
        normals[triangles, vertices] = _unit(weights @ face[triangles])
    return Mesh(mesh.points, normals, mesh.tex, mesh.material)


def pane_x(
    x: float, y: tuple[float, float], z: tuple[float, float], material: int, lean: float = 0.0
) -> Mesh:
    """An upright rectangle across x; its top is `lean` metres farther along x."""
    (y0, y1), (z0, z1) = y, z
    return quad([(x, y0, z0), (x, y1, z0), (x + lean, y1, z1), (x + lean, y0, z1)], material)


def pane_y(
    y: float, x: tuple[float, float], z: tuple[float, float], material: int, lean: float = 0.0
) -> Mesh:
    """An upright rectangle across y; its top is `lean` metres farther along y."""
    (x0, x1), (z0, z1) = x, z
    return quad([(x0, y, z0), (x1, y, z0), (x1, y + lean, z1), (x0, y + lean, z1)], material)


def box(
    low: tuple, high: tuple, material: int, top: int | None = None, taper: tuple = (0.0, 0.0)
) -> Mesh:
    """A block without a floor.

    Args:
        low: its lower corner (x, y, z).
        high: its upper corner.
        material: of the walls, which have u along, v and w up (from z = 0).
        top: material of the roof, default that of the walls.
        taper: by how much the roof is drawn in on each side, along x and y.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    tx, ty = taper
    base = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    roof = [(x0 + tx, y0 + ty), (x1 - tx, y0 + ty), (x1 - tx, y1 - ty), (x0 + tx, y1 - ty)]
    parts = []
    for i in range(4):
        j = (i + 1) % 4
        half = np.hypot(base[j][0] - base[i][0], base[j][1] - base[i][1]) / 2
        corners = [(*base[i], z0), (*base[j], z0), (*roof[j], z1), (*roof[i], z1)]
        tex = [(-half, z0, z0), (half, z0, z0), (half, z1, z1), (-half, z1, z1)]
        parts.append(quad(corners, material, tex))
    lid = [(x, y, z1) for x, y in roof]
    return merge(*parts, quad(lid, material if top is None else top, lid))


def tube(
    start: tuple,
    end: tuple,
    r0: float,
    r1: float,
    material: int,
    sides: int = 8,
    caps: bool = False,
) -> Mesh:
    """A round (tapered) rod; u runs around, v along, both in metres."""
    p, q = np.asarray(start, float), np.asarray(end, float)
    length = np.linalg.norm(q - p)
    axis = (q - p) / length
    side = _unit(np.cross(axis, [0, 0, 1] if abs(axis[2]) < 0.9 else [1, 0, 0]))
    other = np.cross(axis, side)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
    points = np.stack([p + r0 * ring, q + r1 * ring])
    tex = np.zeros((2, sides + 1, 3))
    tex[..., 0] = angle * max(r0, r1)
    tex[1, :, 1] = length
    parts = [patch(points, material, tex, np.stack([ring, ring]))]
    if caps:
        for centre, radius in ((p, r0), (q, r1)):
            parts.append(
                patch(
                    np.stack([np.repeat(centre[None], sides + 1, 0), centre + radius * ring]),
                    material,
                )
            )
    return merge(*parts)


def ellipsoid(centre: tuple, radii: tuple, material: int, rings: int = 6, sides: int = 8) -> Mesh:
    """A ball, stretched along the axes."""
    lat = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)[:, None]
    lon = np.linspace(0, 2 * np.pi, sides + 1)[None]
    unit = np.stack(
        [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon], -1
    )
    return patch(centre + unit * radii, material, centre + unit * radii, unit / np.asarray(radii))


def wheel(
    x: float, y: float, radius: float, width: float, material: int, tyre: int, sides: int = 18
) -> Mesh:
    """A wheel with its axle along y: two faces textured in units of the radius, and a tread."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    rim = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1)
    centre = np.array([x, y, radius])
    parts = []
    for shift in (-width / 2, width / 2):
        middle = centre + np.array([0, shift, 0])
        hub = np.repeat(middle[None], sides + 1, 0)
        tex = np.stack([np.zeros_like(rim), rim[:, [0, 2, 1]]])
        parts.append(patch(np.stack([hub, middle + radius * rim]), material, tex))
    across = np.array([0, width / 2, 0])
    outer = np.stack([centre - across + radius * rim, centre + across + radius * rim])
    parts.append(patch(outer, tyre, None, np.stack([rim, rim])))
    return merge(*parts)


def hoop(
    x: float, y: float, radius: float, thickness: float, material: int, sides: int = 20
) -> Mesh:
    """A thin wheel (bicycle): a flat ring and its tread, axle along y."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    rim = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1)
    centre = np.array([x, y, radius])
    flat = patch(np.stack([centre + (radius - thickness) * rim, centre + radius * rim]), material)
    across = np.array([0, thickness / 2, 0])
    tread = patch(
        np.stack([centre + radius * rim - across, centre + radius * rim + across]), material
    )
    return merge(flat, tread)


def loft(stations: np.ndarray, sections: list, material: np.ndarray) -> Mesh:
    """A hull: cross-sections (lists of (y, z), mirrored to the right side) at places x.

    Args:
        stations: (m,) x of the sections.
        sections: m lists of n points (y, z) from the sill up to the middle of the roof.
        material: (m-1, n-1) codes of the cells of one side.
    """
    left = np.array([[(x, y, z) for y, z in section] for x, section in zip(stations, sections)])
    right = left * (1, -1, 1)
    return merge(patch(left, material), patch(right, material))
