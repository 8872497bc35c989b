#!/usr/bin/env python
"""Convert the German Traffic Sign Detection Benchmark to COCO's format, in four classes.

Takes the original download (FullIJCNN2013: PPM images and gt.txt) or a folder of the same images in
another format, with gt.txt in it or beside it. Frames 0 to 599 are for training, 600 to 899 for
testing; of the former, every sixth is set apart for tuning. Images are linked, not copied, unless
they are converted. Examples:
    lzu-mm convert-gtsdb FullIJCNN2013 data/gtsdb
    lzu-mm convert-gtsdb FullIJCNN2013 data/gtsdb --format png
"""

import json
import os
import struct
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import cv2
from mmengine.utils import track_iter_progress

from lzu_mm.engine import run_tool

# The benchmark's own groups of its 43 classes; the rest are 'other'.
GROUPS = {
    'prohibitory': {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16},
    'mandatory': {33, 34, 35, 36, 37, 38, 39, 40},
    'danger': {11, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
}
CLASSES = (*GROUPS, 'other')
TRAINING_FRAMES = 600
TUNING_INTERVAL = 6
FORMATS = ('ppm', 'png', 'webp', 'jpg', 'bmp')
_KINDS = 43


class Sign(NamedTuple):
    """A line of gt.txt: corners in pixels, right and bottom inclusive."""

    left: int
    top: int
    right: int
    bottom: int
    kind: int


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='the folder with the images')
    parser.add_argument('target', type=Path, help='the folder to write, such as data/gtsdb')
    parser.add_argument(
        '--annotations', type=Path, help='gt.txt, if it is neither in the folder nor beside it'
    )
    parser.add_argument(
        '--format', choices=('png', 'webp', 'bmp'), help='write the images anew, without loss'
    )
    return parser.parse_args()


def read_signs(path: Path) -> Dict[str, List[Sign]]:
    """Read gt.txt.

    Args:
        path: Lines ``file;left;top;right;bottom;class``.

    Returns:
        Signs by the stem of the image's name.

    Raises:
        SystemExit: If a line is not such.
    """
    signs = defaultdict(list)
    for number, line in enumerate(path.read_text().split('\n'), 1):
        if not line.strip():
            continue
        try:
            name, *numbers = line.split(';')
            sign = Sign(*map(int, numbers))
        except (TypeError, ValueError):
            raise SystemExit(
                f'error: line {number} of {path} is not file;left;top;right;bottom;class: {line!r}'
            ) from None
        if sign.right < sign.left or sign.bottom < sign.top or not 0 <= sign.kind < _KINDS:
            raise SystemExit(f'error: line {number} of {path} is no sign: {line!r}')
        signs[Path(name).stem].append(sign)
    return dict(signs)


def find_annotations(source: Path, given: Optional[Path]) -> Path:
    """The gt.txt that is given, or lies in the folder or beside it."""
    places = [given] if given else [source / 'gt.txt', source.parent / 'gt.txt']
    for place in places:
        if place.is_file():
            return place
    raise SystemExit(f'error: no {" and no ".join(map(str, places))}: name it by --annotations')


def find_images(source: Path) -> List[Path]:
    """The frames 00000 to 00899, or as many as there are, in order."""
    images = sorted(
        path for path in source.glob('[0-9]' * 5 + '.*') if path.suffix[1:].lower() in FORMATS
    )
    if not images:
        raise SystemExit(f'error: {source} has no images such as 00000.ppm ({", ".join(FORMATS)})')
    stems = [image.stem for image in images]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise SystemExit(f'error: {source} has frame {twice[0]} in more than one format')
    return images


def size_of(image: Path) -> Tuple[int, int]:
    """(height, width), by the header alone where that is easy."""
    with image.open('rb') as file:
        head = file.read(64)
    if head.startswith(b'P6'):
        fields = [line for line in head.split(b'\n') if not line.startswith(b'#')]
        numbers = b' '.join(fields).split()[1:3]
        return int(numbers[1]), int(numbers[0])
    if head.startswith(b'\x89PNG'):
        width, height = struct.unpack('>II', head[16:24])
        return height, width
    pixels = cv2.imread(str(image))
    if pixels is None:
        raise SystemExit(f'error: cannot read {image}')
    return pixels.shape[0], pixels.shape[1]


def place(image: Path, folder: Path, kind: Optional[str]) -> Path:
    """Link the image into the folder, or write it there in another format."""
    if kind is None:
        target = folder / image.name
        if not target.exists():
            os.symlink(image.resolve(), target)
        return target
    target = folder / f'{image.stem}.{kind}'
    if not target.exists():
        # 101 is WebP's quality without loss.
        options = [cv2.IMWRITE_WEBP_QUALITY, 101] if kind == 'webp' else []
        part = target.with_name(f'.part-{target.name}')
        if not cv2.imwrite(str(part), cv2.imread(str(image)), options):
            raise SystemExit(f'error: cannot write {target}')
        part.rename(target)
    return target


def group_of(kind: int) -> int:
    """Index of the class of one of the 43 signs."""
    names = [name for name, kinds in GROUPS.items() if kind in kinds]
    return CLASSES.index(names[0] if names else 'other')


def to_coco(images: List[dict], signs: Dict[str, List[Sign]]) -> dict:
    """The annotations of some images.

    Args:
        images: Entries of COCO's ``images``.
        signs: By the stem of the image's name.

    Returns:
        A COCO json; boxes are (x, y, width, height), so that an inclusive corner adds one.
    """
    annotations = []
    for image in images:
        for sign in signs.get(Path(image['file_name']).stem, []):
            width, height = sign.right - sign.left + 1, sign.bottom - sign.top + 1
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image['id'],
                    category_id=group_of(sign.kind) + 1,
                    bbox=[sign.left, sign.top, width, height],
                    area=width * height,
                    iscrowd=0,
                )
            )
    categories = [dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)]
    return dict(images=images, annotations=annotations, categories=categories)


def splits(images: List[dict]) -> Dict[str, List[dict]]:
    """Training and test set, and the training set in two for tuning: every sixth frame apart."""
    train = [image for image in images if image['id'] < TRAINING_FRAMES]
    test = [image for image in images if image['id'] >= TRAINING_FRAMES]
    tune = {False: [], True: []}  # type: Dict[bool, List[dict]]
    for index, image in enumerate(train):
        tune[index % TUNING_INTERVAL == TUNING_INTERVAL - 1].append(image)
    return {'train': train, 'test': test, 'tune_train': tune[False], 'tune_val': tune[True]}


def write_json(path: Path, content: dict) -> None:
    """Write aside, then rename."""
    part = path.with_name(f'.part-{path.name}')
    part.write_text(json.dumps(content))
    part.replace(path)


def main() -> None:
    """Convert."""
    args = parse_args()
    images = find_images(args.source)
    signs = read_signs(find_annotations(args.source, args.annotations))
    unknown = sorted(signs.keys() - {image.stem for image in images})
    if unknown:
        raise SystemExit(
            f'error: signs of {len(unknown)} frames without an image, such as {unknown[0]}'
        )
    folder = args.target / 'images'
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for image in track_iter_progress(images):
        height, width = size_of(image)
        name = place(image, folder, args.format).name
        entries.append(dict(id=int(image.stem), file_name=name, width=width, height=height))
    for name, part in splits(entries).items():
        coco = to_coco(part, signs)
        write_json(args.target / f'{name}.json', coco)
        print(f'{name}.json: {len(part)} images, {len(coco["annotations"])} signs')


if __name__ == '__main__':
    run_tool(main)
