"""benchmarks/random_crops.py: pixels and boxes of a cut image are those of the image."""

import json

import cv2
import numpy as np
import pytest
from random_crops import crop_annotation, draw_box

from ..test_tools.launching import call, succeed

TOOL = 'benchmarks/random_crops.py'
BOX = (10, 20, 40, 50)


@pytest.mark.parametrize(
    ('bbox', 'expected'),
    [
        ([15, 30, 4, 6], [5, 10, 4, 6]),
        ([8, 18, 10, 8], [0, 0, 8, 6]),
        ([30, 45, 14, 8], [20, 25, 10, 5]),
        ([0, 25, 18, 8], None),
        ([15, 48, 4, 8], None),
    ],
)
def test_boxes_are_clipped_and_dropped_by_their_centre(bbox, expected):
    found = crop_annotation({'id': 3, 'bbox': bbox, 'area': 0}, BOX)
    if expected is None:
        assert found is None
    else:
        assert found == {'id': 3, 'bbox': expected, 'area': expected[2] * expected[3]}


def test_places_are_spread_over_the_whole_image():
    boxes = np.array([draw_box(dict(id=i, width=100, height=50), 0.6) for i in range(500)])
    assert (boxes[:, 2:] - boxes[:, :2] == [60, 30]).all()
    assert boxes.min(0).tolist() == [0, 0, 60, 30]
    assert boxes.max(0).tolist() == [40, 20, 100, 50]


def test_a_data_set_is_cut(tmp_path):
    source, target = tmp_path / 'whole', tmp_path / 'cut'
    (source / 'images').mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (50, 100, 3), dtype=np.uint8)
    cv2.imwrite(str(source / 'images/7.bmp'), pixels)
    image = dict(id=7, file_name='7.bmp', width=100, height=50)
    left, top, right, bottom = draw_box(image, 0.6)
    sign = dict(id=1, image_id=7, category_id=1, bbox=[left + 5, top + 6, 7, 8], area=56)
    coco = dict(images=[image], annotations=[sign], categories=[dict(id=1, name='sign')])
    for name in ('train', 'tune_train'):
        (source / f'{name}.json').write_text(json.dumps(coco))

    succeed(TOOL, source, target, '--share', 0.3)
    assert 'tune_train.json: 1 images, 1 objects' in succeed(TOOL, source, target)
    for name in ('train', 'tune_train'):
        cut = json.loads((target / f'{name}.json').read_text())
        assert cut['images'] == [dict(id=7, file_name='7.png', width=60, height=30)]
        assert cut['annotations'] == [{**sign, 'bbox': [5, 6, 7, 8]}]
        assert cut['categories'] == coco['categories']
    assert (cv2.imread(str(target / 'images/7.png')) == pixels[top:bottom, left:right]).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('none', 'cut'), 'no json file in none'),
        (('.', '.', '--share', 1.5), '--share must be in (0, 1]'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    process = call(TOOL, *arguments)
    assert process.returncode
    assert message in process.stdout
