import copy

import pytest

from lzu_mm.zoomify.pipelines import size_before_zoom, whole_images

LOAD, FLIP = dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=0.5)
CROP = dict(type='mmdet.RandomCrop', crop_size=(8, 8))
RANGE = dict(type='mmdet.RandomResize', scale=(64, 32), ratio_range=(0.5, 2), keep_ratio=True)
FIXED = dict(type='mmdet.Resize', scale=(64, 32), keep_ratio=True)
SCALES = dict(type='RandomChoiceResize', scales=[(48, 96), (64, 96)], keep_ratio=True)
PAD = dict(type='Pad', size=(64, 64))


def test_crops_go_and_the_resize_before_them_is_fixed():
    pipeline = [LOAD, RANGE, CROP, FLIP, dict(type='MinIoURandomCrop')]
    stock = copy.deepcopy(pipeline)
    found, removed = whole_images(pipeline)
    assert found == [LOAD, FIXED, FLIP]
    assert removed == ['RandomCrop', 'MinIoURandomCrop', 'random ratio of RandomResize']
    assert pipeline == stock


def test_whole_images_stay_as_they_are():
    affine = dict(type='AffineResize', img_scale=(64, 32), down_ratio=4)
    for pipeline in (
        [LOAD, RANGE, FLIP, PAD],
        [LOAD, SCALES, dict(type='RandomChoice', transforms=[[FLIP], [PAD]])],
        [LOAD, affine, FLIP],
        # The second resize depends on what the first leaves.
        [LOAD, FIXED, dict(type='Resize', scale_factor=0.5)],
    ):
        assert whole_images(pipeline) == (pipeline, [])


def test_branches_are_searched():
    choice = dict(type='RandomChoice', transforms=[[FLIP], [RANGE, CROP, FLIP]])
    apply = dict(type='RandomApply', transforms=[CROP], prob=0.5)
    found, removed = whole_images([LOAD, choice, apply])
    assert found == [LOAD, dict(type='RandomChoice', transforms=[[FLIP], [FIXED, FLIP]])]
    assert removed == ['RandomCrop', 'random ratio of RandomResize', 'RandomCrop']


def test_the_two_ways_of_detr_become_one_with_one_resize():
    first = dict(type='RandomChoiceResize', scales=[(40, 420), (50, 420)], keep_ratio=True)
    choice = dict(type='RandomChoice', transforms=[[SCALES], [first, CROP, SCALES]])
    found, removed = whole_images([LOAD, FLIP, choice])
    assert found == [LOAD, FLIP, SCALES]
    assert removed == ['RandomCrop', 'resize in front of another']


def test_of_resizes_along_a_path_the_last_is_left():
    branch = dict(type='RandomChoice', transforms=[[SCALES, FLIP], [FIXED]])
    assert whole_images([LOAD, RANGE, branch])[0] == [LOAD, branch]
    found, _ = whole_images([LOAD, branch, FIXED])
    assert found == [LOAD, dict(type='RandomChoice', transforms=[[FLIP], []]), FIXED]
    one_way = dict(type='RandomChoice', transforms=[[SCALES], [FLIP]])
    assert whole_images([LOAD, RANGE, one_way]) == ([LOAD, RANGE, one_way], [])
    apply = dict(type='RandomApply', transforms=[SCALES], prob=0.5)
    assert whole_images([LOAD, apply, FLIP, FIXED])[0] == [LOAD, FLIP, FIXED]


def test_mosaics_go_and_images_become_as_large_as_their_tiles():
    mosaic = dict(type='CachedMosaic', img_scale=(64, 64), pad_val=114.0)
    double = {**RANGE, 'scale': (128, 128)}
    mixup = dict(type='CachedMixUp', img_scale=(64, 64))
    found, removed = whole_images([LOAD, mosaic, double, CROP, FLIP, PAD, mixup])
    assert found == [LOAD, {**FIXED, 'scale': (64, 64)}, FLIP, PAD]
    assert removed[:3] == ['CachedMosaic', 'RandomCrop', 'CachedMixUp']
    affine = dict(type='mmdet.RandomAffine', border=(-32, -32))
    resize = dict(type='Resize', scale=(64, 64), keep_ratio=True)
    assert whole_images([mosaic, affine, mixup, FLIP, PAD])[0] == [resize, FLIP, PAD]


def test_what_moves_the_content_goes_from_policies_too():
    space = [[dict(type='Rotate')], [dict(type='Color')], [dict(type='TranslateX')]]
    found, removed = whole_images([LOAD, dict(type='RandAugment', aug_space=space)])
    assert found == [LOAD, dict(type='RandAugment', aug_space=[[], [dict(type='Color')], []])]
    assert removed == ['Rotate', 'TranslateX']
    hollow = dict(type='RandAugment', aug_space=space[::2])
    order = dict(type='RandomOrder', transforms=[hollow, FLIP])
    assert whole_images([LOAD, order, hollow])[0] == [
        LOAD,
        dict(type='RandomOrder', transforms=[FLIP]),
    ]


@pytest.mark.parametrize('pad', [dict(type='Pad', size=(8, 8)), dict(type='Pad', size=(32, 32))])
def test_a_pad_to_the_size_of_a_crop_goes_with_it(pad):
    # mmcv asserts that what it pads is no larger.
    assert whole_images([LOAD, RANGE, CROP, pad])[0] == [LOAD, FIXED]


@pytest.mark.parametrize(
    ('resize', 'size'),
    [
        (dict(type='Resize', scale=(1333, 800), keep_ratio=True), (1333, 800)),
        (dict(type='mmdet.Resize', scale=[640, 640]), (640, 640)),
        (dict(type='Resize', scale_factor=1.0), None),
        (dict(type='Pad', size_divisor=32), None),
    ],
)
def test_the_size_before_the_zoom_is_that_of_the_last_resize(resize, size):
    pipeline = [dict(type='LoadImageFromFile'), resize, dict(type='PackDetInputs')]
    assert size_before_zoom(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline)))) == size
    assert size_before_zoom(dict(test_dataloader=None)) is None
