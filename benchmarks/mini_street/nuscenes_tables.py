"""Writes the tables of nuScenes, as its devkit reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from .camera import Lens
from .files import write_image, write_json

ATTRIBUTES = (
    'vehicle.moving',
    'vehicle.stopped',
    'vehicle.parked',
    'cycle.with_rider',
    'cycle.without_rider',
    'pedestrian.sitting_lying_down',
    'pedestrian.standing',
    'pedestrian.moving',
)
CATEGORIES = (
    'human.pedestrian.adult',
    'human.pedestrian.construction_worker',
    'vehicle.car',
    'vehicle.motorcycle',
    'vehicle.bicycle',
    'vehicle.bus.rigid',
    'vehicle.truck',
    'vehicle.construction',
    'vehicle.trailer',
    'movable_object.barrier',
    'movable_object.trafficcone',
)
_LEVELS = ('v0-40', 'v40-60', 'v60-80', 'v80-100')


def token(*names: object) -> str:
    """The 32 hexadecimal digits that name a record."""
    return hashlib.md5('/'.join(map(str, names)).encode()).hexdigest()


def quaternion(matrix: np.ndarray) -> list[float]:
    """(w, x, y, z) of the rotation in a (4, 4) or (3, 3) matrix."""
    x, y, z, w = Rotation.from_matrix(np.asarray(matrix)[:3, :3]).as_quat()
    return [float(w), float(x), float(y), float(z)]


def _chain(records: list[dict[str, Any]]) -> None:
    """Link records of one sequence by `prev` and `next`."""
    for i, record in enumerate(records):
        record['prev'] = records[i - 1]['token'] if i else ''
        record['next'] = records[i + 1]['token'] if i + 1 < len(records) else ''


def _samples(samples: list[dict], tables: dict[str, list], size: dict[str, Lens]) -> None:
    """Fill scene, sample, sample_data, ego_pose, log."""
    for scene in dict.fromkeys(s['scene'] for s in samples):
        members = [s for s in samples if s['scene'] == scene]
        rows = [
            {
                'token': token('sample', scene, s['timestamp']),
                'timestamp': s['timestamp'],
                'scene_token': token('scene', scene),
            }
            for s in members
        ]
        _chain(rows)
        tables['sample'] += rows
        tables['scene'].append(
            {
                'token': token('scene', scene),
                'log_token': token('log', members[0]['log']),
                'nbr_samples': len(rows),
                'first_sample_token': rows[0]['token'],
                'last_sample_token': rows[-1]['token'],
                'name': scene,
                'description': f'Rendered street, {members[0]["weather"]}',
            }
        )
        tables['log'].append(
            {
                'token': token('log', members[0]['log']),
                'logfile': members[0]['log'],
                'vehicle': 'mini',
                'date_captured': '2018-07-24',
                'location': 'mini-street',
            }
        )
        for channel in members[0]['files']:
            data = []
            lens = size.get(channel)
            for s, row in zip(members, rows):
                name = token('sample_data', channel, scene, s['timestamp'])
                tables['ego_pose'].append(
                    {
                        'token': name,
                        'timestamp': s['timestamp'],
                        'rotation': quaternion(s['ego2global']),
                        'translation': [m[3] for m in s['ego2global'][:3]],
                    }
                )
                data.append(
                    {
                        'token': name,
                        'sample_token': row['token'],
                        'ego_pose_token': name,
                        'calibrated_sensor_token': token('calibrated_sensor', channel),
                        'timestamp': s['timestamp'],
                        'fileformat': 'jpg' if lens else 'pcd',
                        'is_key_frame': True,
                        'height': lens.height if lens else 0,
                        'width': lens.width if lens else 0,
                        'filename': s['files'][channel],
                    }
                )
            _chain(data)
            tables['sample_data'] += data


def _annotations(samples: list[dict], tables: dict[str, list]) -> None:
    """Fill instance and sample_annotation, the latter sample by sample."""
    instances: dict[str, list[dict]] = {}
    category: dict[str, str] = {}
    for s in samples:
        for o in s['objects']:
            name = token('instance', s['scene'], o['instance'])
            category[name] = o['category']
            level = 1 + int(np.searchsorted([0.4, 0.6, 0.8], o['visible'], side='right'))
            turn = Rotation.from_euler('Z', o['yaw']).as_matrix()
            row = {
                'token': token('annotation', name, s['timestamp']),
                'sample_token': token('sample', s['scene'], s['timestamp']),
                'instance_token': name,
                'visibility_token': str(level),
                'attribute_tokens': [token('attribute', o['attribute'])] if o['attribute'] else [],
                'translation': o['translation'],
                'size': o['size'],
                'rotation': quaternion(turn),
                'num_lidar_pts': o['points'],
                'num_radar_pts': 0,
            }
            instances.setdefault(name, []).append(row)
            tables['sample_annotation'].append(row)
    for name, rows in instances.items():
        _chain(rows)
        tables['instance'].append(
            {
                'token': name,
                'category_token': token('category', category[name]),
                'nbr_annotations': len(rows),
                'first_annotation_token': rows[0]['token'],
                'last_annotation_token': rows[-1]['token'],
            }
        )


def write_tables(
    folder: Path, samples: list[dict], cameras: dict[str, Lens], lidar2ego: np.ndarray
) -> dict[str, list]:
    """Write `v1.0-mini/*.json` and the map.

    Args:
        folder: the data set's.
        samples: records of `nuscenes.frame`, scene by scene, in order of time.
        cameras: the six.
        lidar2ego: (4, 4).

    Returns:
        The tables by name.
    """
    names = (
        'category',
        'attribute',
        'visibility',
        'instance',
        'sensor',
        'calibrated_sensor',
        'ego_pose',
        'log',
        'scene',
        'sample',
        'sample_data',
        'sample_annotation',
        'map',
    )
    tables: dict[str, list] = {name: [] for name in names}
    tables['category'] = [
        {'token': token('category', n), 'name': n, 'description': ''} for n in CATEGORIES
    ]
    tables['attribute'] = [
        {'token': token('attribute', n), 'name': n, 'description': ''} for n in ATTRIBUTES
    ]
    tables['visibility'] = [
        {'token': str(i + 1), 'level': level, 'description': f'visible share {level[1:]} %'}
        for i, level in enumerate(_LEVELS)
    ]
    mounts = {
        **{name: (lens.cam2ego(), lens.cam2img().tolist()) for name, lens in cameras.items()},
        'LIDAR_TOP': (lidar2ego, []),
    }
    for name, (mount, intrinsic) in mounts.items():
        tables['sensor'].append(
            {
                'token': token('sensor', name),
                'channel': name,
                'modality': 'camera' if intrinsic else 'lidar',
            }
        )
        tables['calibrated_sensor'].append(
            {
                'token': token('calibrated_sensor', name),
                'sensor_token': token('sensor', name),
                'translation': mount[:3, 3].tolist(),
                'rotation': quaternion(mount),
                'camera_intrinsic': intrinsic,
            }
        )
    _samples(samples, tables, cameras)
    _annotations(samples, tables)
    picture = f'maps/{token("map")}.png'
    write_image(folder / picture, np.full((64, 64), 255, np.uint8))
    tables['map'].append(
        {
            'token': token('map'),
            'log_tokens': [log['token'] for log in tables['log']],
            'category': 'semantic_prior',
            'filename': picture,
        }
    )
    for name, rows in tables.items():
        write_json(folder / 'v1.0-mini' / f'{name}.json', rows)
    return tables
