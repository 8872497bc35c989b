"""Writes sequences in the layout of Argoverse-HD.

Li et al., "Towards Streaming Perception", ECCV 2020:

    <out>/Argoverse-1.1/tracking/<split>/<sequence>/ring_front_center/<name>.jpg
    <out>/Argoverse-HD/annotations/{train,val}.json

Boxes are those of the visible part of an object; hardly visible ones are left out.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .camera import CROPS, Lens
from .files import write_image, write_json
from .jobs import Job, Task
from .kinds import ARGOVERSE_CLASSES, KINDS
from .render import Picture
from .view import Moment
from .world import World

LENS = Lens(1200, 1920, 1400.0, 960.0, 605.0, (1.6, 0.0, 1.65))
_CAMERA = 'ring_front_center'
# Sequences, frames of each, and seconds between frames.
_SIZES = {
    'tiny': {'train': (3, 3, 0.1), 'val': (2, 3, 0.1)},
    'small': {'train': (150, 4, 0.1), 'val': (15, 10, 0.1)},
    'standard': {'train': (40, 8, 0.1), 'val': (13, 8, 0.1)},
    'video': {'train': (60, 4, 0.1), 'val': (8, 30, 1 / 30)},
}
# The classes' numbers among COCO's eighty.
_COCO = (0, 1, 2, 3, 5, 7, 9, 11)
_MIN_PIXELS, _MIN_SIDE, _MIN_SHARE = 24, 4, 0.15


def _name(split: str, number: int, seed: int) -> str:
    text = hashlib.md5(f'{seed} {split} {number}'.encode()).hexdigest()
    return '-'.join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def boxes(world: World, picture: Picture) -> list[dict[str, Any]]:
    """Visible objects: class, box (x0, y0, x1, y1), pixels, and the number of the thing."""
    found: dict[tuple, dict[str, Any]] = {}
    for number, thing in enumerate(world.things):
        label = KINDS[thing.kind][0]
        if label is None or picture.boxes[number, 4] == 0:
            continue
        box, pixels, amodal = (
            picture.boxes[number, :4],
            int(picture.boxes[number, 4]),
            int(picture.amodal[number]),
        )
        key = (thing.group, label) if thing.group >= 0 else (-1, number)
        if key in found:
            other = found[key]
            box = np.concatenate(
                [np.minimum(box[:2], other['box'][:2]), np.maximum(box[2:], other['box'][2:])]
            )
            pixels, amodal = pixels + other['pixels'], amodal + other['amodal']
        found[key] = {
            'label': label,
            'box': box,
            'pixels': pixels,
            'amodal': amodal,
            'thing': number,
        }
    return [
        b
        for b in found.values()
        if b['pixels'] >= _MIN_PIXELS
        and b['pixels'] >= _MIN_SHARE * b['amodal']
        and min(b['box'][2:] - b['box'][:2]) >= _MIN_SIDE
    ]


def frame(lens: Lens, folder: Path, job: Job, number: int, moment: Moment) -> dict[str, Any]:
    """Render one frame; the record holds its annotations."""
    picture = moment.picture(lens, (*job.seed, number))
    name = f'{_CAMERA}_{_timestamp(job, dict(job.times)[number])}.jpg'
    path = folder / 'Argoverse-1.1' / 'tracking' / job.context['dir'] / name
    write_image(path, picture.image, quality=80 + job.seed[-1] % 16)
    objects = []
    for b in boxes(moment.world, picture):
        x0, y0, x1, y1 = (int(v) for v in b['box'])
        objects.append(
            {
                'category_id': ARGOVERSE_CLASSES.index(b['label']),
                'bbox': [x0, y0, x1 - x0, y1 - y0],
                'area': (x1 - x0) * (y1 - y0),
                'iscrowd': 0,
                'track': b['thing'],
            }
        )
    return {'name': name, 'objects': objects}


def _timestamp(job: Job, time: float) -> int:
    """Nanoseconds, different for each frame: viewers name pictures by the image's name alone."""
    split, sequence = job.seed[-2:]
    start = 315970000 + 100 * (1000 * split + sequence)
    return start * 10**9 + round(time * 1e9)


def task(preset: str, seed: int) -> Task:
    """All there is to render for a preset."""
    jobs = []
    for s, (split, (count, length, step)) in enumerate(_SIZES[preset].items()):
        for k in range(count):
            sequence = _name(split, k, seed)
            context = {
                'split': split,
                'sid': k,
                'sequence': sequence,
                'dir': f'{split}/{sequence}/{_CAMERA}',
            }
            times = tuple((n, n * step) for n in range(length))
            jobs.append(Job(f'{split}_{k:03d}', (seed, 1, s, k), times, {}, context))

    lens = LENS.cropped(CROPS[preset])
    return Task('argoverse_hd', jobs, partial(frame, lens), Finish(jobs, lens))


class Finish:
    """Writes the two annotation files."""

    def __init__(self, jobs: list[Job], lens: Lens) -> None:
        self.jobs = jobs
        self.lens = lens

    def __call__(self, folder: Path, records: dict) -> None:
        """Collect the records, in order."""
        for split in ('train', 'val'):
            jobs = [job for job in self.jobs if job.context['split'] == split]
            images, annotations = [], []
            for job in jobs:
                for number, _ in job.times:
                    record = records[job.key, number]
                    images.append(
                        {
                            'id': len(images),
                            'name': record['name'],
                            'sid': job.context['sid'],
                            'fid': number,
                            'width': self.lens.width,
                            'height': self.lens.height,
                        }
                    )
                    # Ids from 1: COCO's evaluation takes an annotation of id 0 for "no match".
                    annotations += [
                        {'id': len(annotations) + i + 1, 'image_id': images[-1]['id'], **o}
                        for i, o in enumerate(record['objects'])
                    ]
            content = {
                'categories': [{'id': i, 'name': n} for i, n in enumerate(ARGOVERSE_CLASSES)],
                'images': images,
                'annotations': annotations,
                'sequences': [job.context['sequence'] for job in jobs],
                'seq_dirs': [job.context['dir'] for job in jobs],
                'coco_mapping': list(_COCO),
            }
            write_json(folder / 'Argoverse-HD' / 'annotations' / f'{split}.json', content)
