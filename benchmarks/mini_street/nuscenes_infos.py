"""Writes MMDetection3D's info files (version 1.1) for nuScenes, as its converters would.

Boxes of `instances` are in lidar coordinates: centre, length, width, height, yaw about z. Boxes of
`cam_instances` are in camera coordinates: centre, length, height, width, yaw about y (down); they
hold all objects whose box meets the image, as in `get_nuscenes_2d_boxes` of MMDetection3D.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from .camera import Lens
from .files import write_bytes
from .nuscenes_tables import token

CLASSES = (
    'car',
    'truck',
    'trailer',
    'bus',
    'construction_vehicle',
    'bicycle',
    'motorcycle',
    'pedestrian',
    'traffic_cone',
    'barrier',
)
ATTRIBUTE_LABELS = (
    'cycle.with_rider',
    'cycle.without_rider',
    'pedestrian.moving',
    'pedestrian.standing',
    'pedestrian.sitting_lying_down',
    'vehicle.moving',
    'vehicle.parked',
    'vehicle.stopped',
    '',
)
_CLASS_OF = {
    'human.pedestrian.adult': 'pedestrian',
    'human.pedestrian.construction_worker': 'pedestrian',
    'vehicle.car': 'car',
    'vehicle.motorcycle': 'motorcycle',
    'vehicle.bicycle': 'bicycle',
    'vehicle.bus.rigid': 'bus',
    'vehicle.truck': 'truck',
    'vehicle.construction': 'construction_vehicle',
    'vehicle.trailer': 'trailer',
    'movable_object.barrier': 'barrier',
    'movable_object.trafficcone': 'traffic_cone',
}
# The devkit takes a velocity over at most this time, twice this between both neighbours.
_MAX_TIME = 1.5


def _velocities(samples: list[dict]) -> dict[tuple, np.ndarray]:
    """Velocity (3,) in the world by (timestamp, scene, instance), as the devkit has it."""
    tracks: dict[tuple, list] = {}
    for s in samples:
        for o in s['objects']:
            tracks.setdefault((s['scene'], o['instance']), []).append(
                (s['timestamp'], np.array(o['translation']))
            )
    found = {}
    for key, track in tracks.items():
        for i, (time, _) in enumerate(track):
            first, last = track[max(0, i - 1)], track[min(len(track) - 1, i + 1)]
            elapsed = (last[0] - first[0]) / 1e6
            both = 0 < i < len(track) - 1
            known = 0 < elapsed <= _MAX_TIME * (2 if both else 1)
            found[(time, *key)] = (last[1] - first[1]) / elapsed if known else np.full(3, np.nan)
    return found


def _yaw(rotation: np.ndarray) -> float:
    """The first of the devkit's yaw, pitch and roll of a (3, 3) rotation."""
    return float(np.arctan2(-rotation[0, 1], rotation[0, 0]))


def _outline(corners: np.ndarray, lens: Lens) -> list[float] | None:
    """x0, y0, x1, y1 of what the image shows of a box's (8, 3) corners in camera coordinates."""
    corners = corners[corners[:, 2] > 0]
    if len(corners) < 3:
        return None
    points = corners @ lens.cam2img().T
    # Corners next to the camera plane land far outside; how far does not matter.
    points = np.clip(points[:, :2] / points[:, 2:], -1e5, 1e5).astype(np.float32)
    canvas = np.array(
        [(0, 0), (lens.width, 0), (lens.width, lens.height), (0, lens.height)], np.float32
    )
    area, shape = cv2.intersectConvexConvex(cv2.convexHull(points), canvas)
    if area <= 0 or shape is None:
        return None
    low, high = shape.reshape(-1, 2).min(0), shape.reshape(-1, 2).max(0)
    return [float(v) for v in (*low, *high)]


def _camera_instance(
    o: dict, velocity: np.ndarray, world2cam: np.ndarray, lens: Lens
) -> dict[str, Any] | None:
    """One entry of `cam_instances`, None if the camera does not meet the object."""
    box2world = Rotation.from_euler('Z', o['yaw']).as_matrix()
    rotation = world2cam[:3, :3] @ box2world
    centre = world2cam[:3, :3] @ o['translation'] + world2cam[:3, 3]
    width, length, height = o['size']
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    outline = _outline(signs * (length, width, height) @ rotation.T + centre, lens)
    if outline is None or centre[2] <= 0:
        return None
    label = CLASSES.index(_CLASS_OF[o['category']])
    moving = world2cam[:3, :3] @ [velocity[0], velocity[1], 0.0]
    pixel = lens.cam2img() @ centre
    return {
        'bbox_label': label,
        'bbox_label_3d': label,
        'bbox': outline,
        'bbox_3d_isvalid': True,
        'bbox_3d': [*centre.tolist(), length, height, width, -_yaw(rotation)],
        'velocity': [float(moving[0]), float(moving[2])],
        'center_2d': [float(pixel[0] / pixel[2]), float(pixel[1] / pixel[2])],
        'depth': float(centre[2]),
        'attr_label': ATTRIBUTE_LABELS.index(o['attribute']),
    }


def _lidar_instance(o: dict, velocity: np.ndarray, world2lidar: np.ndarray) -> dict[str, Any]:
    """One entry of `instances`."""
    rotation = world2lidar[:3, :3] @ Rotation.from_euler('Z', o['yaw']).as_matrix()
    centre = world2lidar[:3, :3] @ o['translation'] + world2lidar[:3, 3]
    width, length, height = o['size']
    label = CLASSES.index(_CLASS_OF[o['category']])
    moving = world2lidar[:3, :3] @ [velocity[0], velocity[1], 0.0]
    return {
        'bbox_label': label,
        'bbox_3d': [*centre.tolist(), length, width, height, _yaw(rotation)],
        'bbox_3d_isvalid': True,
        'bbox_label_3d': label,
        'num_lidar_pts': o['points'],
        'num_radar_pts': 0,
        'velocity': moving[:2].tolist(),
    }


def _info(
    index: int, s: dict, velocities: dict, cameras: dict[str, Lens], lidar2ego: np.ndarray
) -> dict[str, Any]:
    """One entry of `data_list`."""
    ego2global = np.array(s['ego2global'])
    world2lidar = np.linalg.inv(ego2global @ lidar2ego)
    images, seen = {}, {}
    speed = {
        o['instance']: velocities[s['timestamp'], s['scene'], o['instance']] for o in s['objects']
    }
    for name, lens in cameras.items():
        cam2ego = lens.cam2ego()
        images[name] = {
            'img_path': Path(s['files'][name]).name,
            'cam2img': lens.cam2img().tolist(),
            'cam2ego': cam2ego.tolist(),
            'sample_data_token': token('sample_data', name, s['scene'], s['timestamp']),
            'timestamp': s['timestamp'] / 1e6,
            'lidar2cam': (np.linalg.inv(cam2ego) @ lidar2ego).tolist(),
        }
        world2cam = np.linalg.inv(ego2global @ cam2ego)
        entries = (_camera_instance(o, speed[o['instance']], world2cam, lens) for o in s['objects'])
        seen[name] = [e for e in entries if e is not None]
    return {
        'sample_idx': index,
        'token': token('sample', s['scene'], s['timestamp']),
        'timestamp': s['timestamp'] / 1e6,
        'ego2global': ego2global.tolist(),
        'images': images,
        'lidar_points': {
            'num_pts_feats': 5,
            'lidar_path': Path(s['files']['LIDAR_TOP']).name,
            'lidar2ego': lidar2ego.tolist(),
        },
        'instances': [_lidar_instance(o, speed[o['instance']], world2lidar) for o in s['objects']],
        'cam_instances': seen,
    }


def write_infos(
    path: Path, samples: list[dict], cameras: dict[str, Lens], lidar2ego: np.ndarray
) -> None:
    """Write one info file.

    Args:
        path: of the pickle.
        samples: the split's records of `nuscenes.frame`, in order.
        cameras: the six, in the order in which MMDetection3D counts images.
        lidar2ego: (4, 4).
    """
    velocities = _velocities(samples)
    metainfo = {
        'categories': {name: i for i, name in enumerate(CLASSES)},
        'dataset': 'nuscenes',
        'version': 'v1.0-mini',
        'info_version': '1.1',
    }
    infos = [_info(i, s, velocities, cameras, lidar2ego) for i, s in enumerate(samples)]
    write_bytes(path, pickle.dumps({'metainfo': metainfo, 'data_list': infos}))
