#!/usr/bin/env python
"""Cut one rectangle out of each image of a COCO data set, anywhere in it.

What looks the same in all frames of a mounted camera, such as where the horizon lies, is lost. An
image is cut in one way whichever file names it, so that parts of the training set stay its parts.

Example:
    python benchmarks/random_crops.py data/gtsdb data/gtsdb_crops
"""

import json
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.utils import track_iter_progress

from lzu_mm.engine import run_tool
from lzu_mm.files import replacing


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='a folder with json files and images/')
    parser.add_argument('target', type=Path, help='the folder to write')
    parser.add_argument(
        '--share', type=float, default=0.6, help="of the image's height and width (default: 0.6)"
    )
    args = parser.parse_args()
    if not 0 < args.share <= 1:
        parser.error(f'--share must be in (0, 1], not {args.share}')
    return args


def draw_box(image: 'dict[str, Any]', share: float) -> 'tuple[int, int, int, int]':
    """(left, top, right, bottom) of an image's rectangle, the same for the same id."""
    generator = np.random.default_rng(image['id'])
    width, height = (round(share * image[side]) for side in ('width', 'height'))
    left = int(generator.integers(image['width'] - width + 1))
    top = int(generator.integers(image['height'] - height + 1))
    return left, top, left + width, top + height


def crop_annotation(
    annotation: 'dict[str, Any]', box: 'tuple[int, int, int, int]'
) -> 'dict[str, Any] | None':
    """The annotation as the rectangle shows it, or None if its centre lies outside."""
    x, y, width, height = annotation['bbox']
    left, top, right, bottom = box
    if not (left <= x + width / 2 < right and top <= y + height / 2 < bottom):
        return None
    x1, y1 = max(x, left), max(y, top)
    x2, y2 = min(x + width, right), min(y + height, bottom)
    bbox = [x1 - left, y1 - top, x2 - x1, y2 - y1]
    return {**annotation, 'bbox': bbox, 'area': bbox[2] * bbox[3]}


def crop_coco(coco: 'dict[str, Any]', share: float) -> 'dict[str, Any]':
    """Annotations of a data set whose images are cut; they become PNG."""
    boxes = {image['id']: draw_box(image, share) for image in coco['images']}
    images = []
    for image in coco['images']:
        left, top, right, bottom = boxes[image['id']]
        name = str(Path(image['file_name']).with_suffix('.png'))
        size = dict(width=right - left, height=bottom - top)
        images.append({**image, **size, 'file_name': name})
    cropped = (crop_annotation(entry, boxes[entry['image_id']]) for entry in coco['annotations'])
    return {**coco, 'images': images, 'annotations': [entry for entry in cropped if entry]}


def crop_image(source: Path, target: Path, box: 'tuple[int, int, int, int]') -> None:
    """Cut one image and write it as PNG."""
    pixels = cv2.imread(str(source))
    if pixels is None:
        raise SystemExit(f'error: cannot read {source}')
    left, top, right, bottom = box
    _, data = cv2.imencode('.png', pixels[top:bottom, left:right])
    with replacing(target) as draft:
        draft.write_bytes(data.tobytes())


def main() -> None:
    """Cut."""
    args = parse_args()
    files = {file.name: json.loads(file.read_text()) for file in args.source.glob('*.json')}
    if not files:
        raise SystemExit(f'error: no json file in {args.source}')
    if args.target.resolve() == args.source.resolve():
        raise SystemExit('error: the target is the source')
    images = {image['file_name']: image for coco in files.values() for image in coco['images']}
    for name, image in track_iter_progress(sorted(images.items())):
        target = args.target / 'images' / Path(name).with_suffix('.png')
        crop_image(args.source / 'images' / name, target, draw_box(image, args.share))
    print()
    for name, coco in sorted(files.items()):
        cropped = crop_coco(coco, args.share)
        with replacing(args.target / name) as draft:
            draft.write_text(json.dumps(cropped))
        objects = len(cropped['annotations'])
        print(f'{name}: {len(cropped["images"])} images, {objects} objects')


if __name__ == '__main__':
    run_tool(main)
