"""Writes single frames in the layout of Cityscapes (Cordts et al., CVPR 2016).

    <out>/leftImg8bit/<split>/<city>/<city>_<seq>_<frame>_leftImg8bit.png
    <out>/gtFine/<split>/<city>/<city>_<seq>_<frame>_gtFine_{labelIds,labelTrainIds}.png

Labels are those of what lies behind each pixel's centre.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .camera import CROPS, Lens
from .files import write_image
from .jobs import Job, Task
from .kinds import KINDS, SKY_LABEL, TRAIN_IDS
from .view import Moment

LENS = Lens(1024, 2048, 2262.0, 1048.0, 515.0, (1.7, 0.1, 1.25), pitch=1.6)
_CITIES = {'train': ('meshhausen', 'polygonstadt', 'rasterburg'), 'val': ('pixelheim',)}
_SIZES = {
    'tiny': {'train': 6, 'val': 4},
    'small': {'train': 500, 'val': 100},
    'standard': {'train': 300, 'val': 100},
}


def frame(lens: Lens, folder: Path, job: Job, number: int, moment: Moment) -> dict[str, Any]:
    """Render one image and its two label maps."""
    picture = moment.picture(lens, (*job.seed, number))
    kinds = [KINDS[thing.kind][1] for thing in moment.world.things]
    ids = np.array([*kinds, SKY_LABEL], np.uint8)[picture.owner]
    table = np.full(256, 255, np.uint8)
    table[list(TRAIN_IDS)] = list(TRAIN_IDS.values())
    split, city, name = job.context['split'], job.context['city'], job.context['name']
    labels = folder / 'gtFine' / split / city
    write_image(labels / f'{name}_gtFine_labelIds.png', ids)
    write_image(labels / f'{name}_gtFine_labelTrainIds.png', table[ids])
    write_image(folder / 'leftImg8bit' / split / city / f'{name}_leftImg8bit.png', picture.image)
    return {}


def finish(folder: Path, records: dict) -> None:
    """Nothing is left to write: the label maps are the annotations."""


def task(preset: str, seed: int) -> Task:
    """All there is to render for a preset."""
    jobs = []
    for s, (split, count) in enumerate(_SIZES[preset].items()):
        for k in range(count):
            city = _CITIES[split][k % len(_CITIES[split])]
            context = {'split': split, 'city': city, 'name': f'{city}_{k:06d}_000019'}
            jobs.append(Job(f'{split}_{k:03d}', (seed, 2, s, k), ((0, 0.3),), {}, context))
    lens = LENS.cropped(CROPS[preset])
    return Task('cityscapes', jobs, partial(frame, lens), finish)
