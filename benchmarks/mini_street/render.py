"""From a scene and a camera to a picture with exact labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Lens
from .materials import LEAVES
from .raster import coverage, rasterise, setup_parallel, setup_perspective, visible_boxes
from .sensor import develop
from .shading import SUN_R, SUN_X, SUN_Z, shade
from .weather import Weather
from .world import Scene

# Samples of an antialiased pixel: a rotated grid.
_SAMPLES = ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))
_SHADOW_REACH = ((26.0, 2048), (150.0, 2048))


@dataclass
class Shadows:
    """Shadow maps of the sun and a map of what hides the sky from the ground."""

    maps: np.ndarray
    frames: np.ndarray
    occlusion: np.ndarray
    occlusion_frame: np.ndarray


@dataclass
class Picture:
    """A rendered view.

    Attributes:
        image: (h, w, 3) uint8, BGR.
        owner: (h, w) int32, number of the thing at each pixel's centre, -1 for the sky.
        depth: (h, w) float32, metres along the optical axis, inf for the sky.
        boxes: (things, 5) x0, y0, x1, y1 (end exclusive) of the visible part and its pixels.
        amodal: (things,) pixels that each would cover with nothing in front of it.
    """

    image: np.ndarray
    owner: np.ndarray
    depth: np.ndarray
    boxes: np.ndarray
    amodal: np.ndarray


def _parallel_map(
    scene: Scene, direction: np.ndarray, centre: np.ndarray, reach: float, size: int
) -> tuple:
    """Nearness towards `direction` of the first surface, on a square of 2 x reach metres."""
    side = np.cross([0.0, 0.0, 1.0] if abs(direction[2]) < 0.99 else [0.0, -1.0, 0.0], direction)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(direction, side), direction])
    scale = size / (2 * reach)
    frame = np.zeros((3, 4))
    frame[:2, :3] = axes[:2] * scale
    frame[2, :3] = axes[2]
    frame[:2, 3] = size / 2 - frame[:2, :3] @ centre
    points = scene.points @ frame[:, :3].T + frame[:, 3]
    edges, plane, boxes = setup_parallel(points, size)
    nearness = np.full((size, size), -1e6, np.float32)
    rasterise(edges, plane, boxes, 0.5, 0.5, nearness, np.empty((size, size), np.int32))
    return nearness, frame


def cast_shadows(scene: Scene, weather: Weather, centre: np.ndarray) -> Shadows:
    """Shadow maps around a point (3,) of the world."""
    maps, frames = [], []
    if weather.light[SUN_R] > 0:
        for reach, size in _SHADOW_REACH:
            nearness, frame = _parallel_map(
                scene, weather.light[SUN_X : SUN_Z + 1], centre, reach, size
            )
            maps.append(nearness)
            frames.append(frame)
    else:
        maps, frames = [np.zeros((1, 1), np.float32)], [np.zeros((3, 4))]
    top, frame = _parallel_map(scene, np.array([0.0, 0.0, 1.0]), centre, 90.0, 1024)
    hides = np.where(top > 0.25, np.minimum(1.0, 2.6 / np.maximum(top, 1.0)), 0.0).astype(
        np.float32
    )
    occlusion = 0.55 * cv2.GaussianBlur(hides, (0, 0), 2.2) + 0.35 * cv2.GaussianBlur(
        hides, (0, 0), 9.0
    )
    return Shadows(np.stack(maps), np.stack(frames), np.minimum(occlusion, 0.85), frame)


def _edge_mask(index: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Pixels whose right or lower neighbour shows another surface, on both sides of the seam."""
    shown = group[index]
    mask = np.zeros(index.shape, bool)
    across, down = shown[:, 1:] != shown[:, :-1], shown[1:] != shown[:-1]
    mask[:, 1:] |= across
    mask[:, :-1] |= across
    mask[1:] |= down
    mask[:-1] |= down
    return mask


def render(
    scene: Scene,
    weather: Weather,
    shadows: Shadows,
    lens: Lens,
    cam2world: np.ndarray,
    rng: np.random.Generator,
) -> Picture:
    """Draw what a camera sees."""
    height, width = lens.height, lens.width
    turn, centre = cam2world[:3, :3], cam2world[:3, 3]
    edges, plane, boxes = setup_perspective(
        (scene.points - centre) @ turn, lens.focal, lens.focal, lens.cx, lens.cy, height, width
    )
    seen = np.flatnonzero(boxes[:, 2] > boxes[:, 0])
    edges, plane, boxes = edges[seen], plane[seen], boxes[seen]
    owner_of, material = scene.owner[seen], scene.material[seen]
    tex, normals = scene.tex[seen], scene.normals[seen]

    nearness, index = np.zeros((height, width), np.float32), np.full((height, width), -1, np.int32)
    rasterise(edges, plane, boxes, 0.5, 0.5, nearness, index)
    flat = np.floor(normals[:, 0] * 2.0 + 0.5).astype(np.int64) @ np.array([1, 7, 49])
    # The leaves of one tree are one surface: smoothing each clump would double the work.
    flat[material == LEAVES] = 0
    surfaces = np.append((owner_of.astype(np.int64) * 64 + material) * 1000 + flat, -1)
    mask = _edge_mask(index, surfaces)

    ray = turn @ np.linalg.inv(lens.cam2img())
    near_lamps = (
        scene.lamps[np.hypot(*(scene.lamps[:, :2] - centre[:2]).T) < 80]
        if len(scene.lamps)
        else scene.lamps
    )
    shared = (
        edges,
        tex,
        normals,
        material,
        owner_of,
        scene.parameters,
        ray,
        centre,
        weather.light,
        shadows.maps,
        shadows.frames,
        shadows.occlusion,
        shadows.occlusion_frame,
        near_lamps,
    )
    linear = np.zeros((height, width, 3), np.float32)
    rows, columns = np.nonzero(~mask)
    linear[rows, columns] = _shade(columns + 0.5, rows + 0.5, index[rows, columns], shared)
    rows, columns = np.nonzero(mask)
    total = np.zeros((len(rows), 3), np.float32)
    for ox, oy in _SAMPLES:
        near, which = np.zeros((height, width), np.float32), np.full((height, width), -1, np.int32)
        rasterise(edges, plane, boxes, ox, oy, near, which)
        # A lamp must not outshine its pixel's other samples: clip before averaging.
        total += np.minimum(
            _shade(columns + ox, rows + oy, which[rows, columns], shared), 3.0 / weather.exposure
        )
    linear[rows, columns] = total / len(_SAMPLES)

    count = len(scene.parameters)
    with np.errstate(divide='ignore'):
        depth = 1 / nearness
    return Picture(
        develop(linear, weather, rng),
        np.append(owner_of, -1)[index],
        depth,
        visible_boxes(index, owner_of, count),
        coverage(edges, boxes, owner_of, count, np.empty((height, width), np.int32)),
    )


def _shade(
    columns: np.ndarray, rows: np.ndarray, triangles: np.ndarray, shared: tuple
) -> np.ndarray:
    out = np.empty((len(columns), 3), np.float32)
    shade(columns, rows, triangles, *shared, out)
    return out
