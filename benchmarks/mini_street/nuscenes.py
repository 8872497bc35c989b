"""Renders six cameras around a car, for a database in the layout of nuScenes.

Caesar et al., "nuScenes: A multimodal dataset for autonomous driving", CVPR 2020:

    <out>/samples/<camera>/*.jpg, samples/LIDAR_TOP/*.pcd.bin, maps/*.png
    <out>/v1.0-mini/*.json                       the devkit's tables, see `nuscenes_tables`
    <out>/nuscenes_infos_{train,val}.pkl         MMDetection3D's infos, see `nuscenes_infos`

Scenes carry the names of the devkit's splits mini_train and mini_val. There is one keyframe a
second, not two: as many images then show more change, still within the 1.5 s over which the devkit
measures velocities.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from .camera import CROPS, Lens
from .files import write_bytes, write_image
from .jobs import Job, Task, split_frames
from .kinds import KINDS
from .nuscenes_infos import write_infos
from .nuscenes_tables import write_tables
from .render import Picture
from .view import Moment
from .world import Thing

CAMERAS = {
    'CAM_FRONT': Lens(900, 1600, 1260.0, 800.0, 490.0, (1.70, 0.0, 1.51)),
    'CAM_FRONT_RIGHT': Lens(900, 1600, 1260.0, 800.0, 490.0, (1.55, -0.49, 1.50), yaw=-55.0),
    'CAM_FRONT_LEFT': Lens(900, 1600, 1260.0, 800.0, 490.0, (1.52, 0.49, 1.51), yaw=55.0),
    'CAM_BACK': Lens(900, 1600, 810.0, 800.0, 490.0, (0.03, 0.0, 1.57), yaw=180.0),
    'CAM_BACK_LEFT': Lens(900, 1600, 1260.0, 800.0, 490.0, (1.04, 0.48, 1.59), yaw=110.0),
    'CAM_BACK_RIGHT': Lens(900, 1600, 1260.0, 800.0, 490.0, (1.01, -0.48, 1.56), yaw=-110.0),
}
LIDAR2EGO = np.eye(4)
LIDAR2EGO[:3, :3] = Rotation.from_euler('Z', -90, degrees=True).as_matrix()
LIDAR2EGO[:3, 3] = 0.94, 0.0, 1.84

_SCENES = {
    'train': (
        'scene-0061',
        'scene-0553',
        'scene-0655',
        'scene-0757',
        'scene-0796',
        'scene-1077',
        'scene-1094',
        'scene-1100',
    ),
    'val': ('scene-0103', 'scene-0916'),
}
# Scenes and samples of each.
_SIZES = {
    'tiny': {'train': (2, 1), 'val': (2, 2)},
    'small': {'train': (8, 14), 'val': (2, 9)},
    'standard': {'train': (8, 7), 'val': (2, 9)},
}
_STEP = 1.0
_START = 1532402927000000
_LIDAR_STRIDE, _LIDAR_RANGE = 16, 90.0
_MIN_PIXELS, _RANGE = 30, 85.0


def _attribute(thing: Thing, ridden: bool) -> str:
    """The devkit's attribute of a thing."""
    name = KINDS[thing.kind][2]
    if name.startswith('human'):
        return 'pedestrian.moving' if thing.moving else 'pedestrian.standing'
    if thing.kind in ('bicycle', 'motorcycle'):
        return 'cycle.with_rider' if ridden else 'cycle.without_rider'
    if name.startswith('vehicle'):
        return 'vehicle.moving' if thing.moving else f'vehicle.{thing.still}'
    return ''


def _size(things: list[Thing]) -> tuple[np.ndarray, np.ndarray]:
    """Width, length, height and centre (in their frame) of the box around things that move as one.

    The box holds all poses of their gait.
    """
    corners = [mesh.extent() for thing in things for mesh in thing.meshes]
    low, high = np.min([c[0] for c in corners], 0), np.max([c[1] for c in corners], 0)
    if things[0].kind in ('person', 'worker'):
        # Annotators draw the box around the body, not around the stride.
        low[0], high[0] = 0.6 * low[0], 0.6 * high[0]
    size, scale = (high - low) * things[0].scale, things[0].scale
    return size[[1, 0, 2]], (low + high) / 2 * scale


def _lidar(
    lenses: dict[str, Lens], folder: Path, name: str, moment: Moment, pictures: dict[str, Picture]
) -> np.ndarray:
    """Write a point cloud, every 16th pixel of each camera; returns points per thing."""
    clouds = []
    counts = np.zeros(len(moment.world.things), np.int64)
    step = slice(_LIDAR_STRIDE // 2, None, _LIDAR_STRIDE)
    for camera, lens in lenses.items():
        depth, owner = pictures[camera].depth[step, step], pictures[camera].owner[step, step]
        keep = (owner >= 0) & (depth < _LIDAR_RANGE)
        rows, columns = np.nonzero(keep)
        pixels = np.stack(
            [columns * _LIDAR_STRIDE + 8.5, rows * _LIDAR_STRIDE + 8.5, np.ones(len(rows))]
        )
        points = (np.linalg.inv(lens.cam2img()) @ pixels) * depth[keep]
        cam2lidar = np.linalg.inv(LIDAR2EGO) @ lens.cam2ego()
        clouds.append((cam2lidar[:3, :3] @ points).T + cam2lidar[:3, 3])
        np.add.at(counts, owner[keep], 1)
    cloud = np.concatenate(clouds)
    rows = np.concatenate([cloud, np.zeros((len(cloud), 2))], 1).astype(np.float32)
    write_bytes(folder / name, rows.tobytes())
    return counts


def frame(
    lenses: dict[str, Lens], folder: Path, job: Job, number: int, moment: Moment
) -> dict[str, Any]:
    """Render the six images of a sample; the record holds all that the tables need."""
    timestamp = _START + job.context['log'] * 1_000_000_000 + int(number * _STEP * 1e6)
    stem = f'mini-street-{job.context["log"]:02d}'
    pictures, names = {}, {}
    for k, (camera, lens) in enumerate(lenses.items()):
        pictures[camera] = moment.picture(lens, (*job.seed, number, k))
        names[camera] = f'samples/{camera}/{stem}__{camera}__{timestamp}.jpg'
        write_image(folder / names[camera], pictures[camera].image, quality=88)
    names['LIDAR_TOP'] = f'samples/LIDAR_TOP/{stem}__LIDAR_TOP__{timestamp}.pcd.bin'
    points = _lidar(lenses, folder, names['LIDAR_TOP'], moment, pictures)

    world, objects = moment.world, []
    shown = sum(p.boxes[:, 4] for p in pictures.values())
    whole = sum(p.amodal for p in pictures.values())
    for i, thing in enumerate(world.things):
        category = KINDS[thing.kind][2]
        if category is None:
            continue
        riders = [
            j
            for j, other in enumerate(world.things)
            if thing.group >= 0 and other.group == thing.group and KINDS[other.kind][2] is None
        ]
        parts = [i, *riders]
        pixels = int(shown[parts].sum())
        x, y, yaw = thing.pose(world.road, number * _STEP)
        if pixels < _MIN_PIXELS or np.hypot(x - moment.ego[0, 3], y - moment.ego[1, 3]) > _RANGE:
            continue
        size, centre = _size([world.things[j] for j in parts])
        c, s = np.cos(yaw), np.sin(yaw)
        objects.append(
            {
                'instance': i,
                'category': category,
                'attribute': _attribute(thing, bool(riders)),
                'translation': [
                    x + c * centre[0] - s * centre[1],
                    y + s * centre[0] + c * centre[1],
                    thing.z + centre[2],
                ],
                'size': size.tolist(),
                'yaw': yaw,
                'visible': min(1.0, pixels / max(1, int(whole[parts].sum()))),
                # What is seen but slips through the coarse scan still counts: the evaluation
                # ignores what has no point.
                'points': max(1, int(points[parts].sum())),
            }
        )
    return {
        'scene': job.context['scene'],
        'split': job.context['split'],
        'log': stem,
        'timestamp': timestamp,
        'ego2global': moment.ego.tolist(),
        'files': names,
        'weather': world.weather.kind,
        'objects': objects,
    }


def finish(lenses: dict[str, Lens], folder: Path, records: dict) -> None:
    """Write tables and infos."""
    samples = list(records.values())
    write_tables(folder, samples, lenses, LIDAR2EGO)
    for split in ('train', 'val'):
        chosen = [sample for sample in samples if sample['split'] == split]
        write_infos(folder / f'nuscenes_infos_{split}.pkl', chosen, lenses, LIDAR2EGO)


def task(preset: str, seed: int) -> Task:
    """All there is to render for a preset."""
    jobs: list[Job] = []
    for s, (split, (scenes, samples)) in enumerate(_SIZES[preset].items()):
        for k, scene in enumerate(_SCENES[split][:scenes]):
            context = {'split': split, 'scene': scene, 'log': 10 * s + k}
            times = [(n, n * _STEP) for n in range(samples)]
            # The validation scenes are few: one by day, one at dusk.
            light = (
                ('sunny', 'dusk')[k]
                if split == 'val'
                else ('overcast', 'low sun', None, None)[k % 4]
            )
            options = {'around': True, 'light': light, 'travel': 9.0 * samples * _STEP}
            jobs += split_frames(f'{split}_{scene}', (seed, 3, s, k), times, 2, options, context)
    lenses = {camera: lens.cropped(CROPS[preset]) for camera, lens in CAMERAS.items()}
    return Task(
        'nuscenes',
        jobs,
        partial(frame, lenses),
        partial(finish, lenses),
        images=len(lenses),
    )
