import copy

from lzu_mm.zoomify.pipelines import moving, without_crops

LOAD, FLIP = dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=0.5)
CROP = dict(type='mmdet.RandomCrop', crop_size=(8, 8))
RANGE = dict(type='mmdet.RandomResize', scale=(64, 32), ratio_range=(0.5, 2), keep_ratio=True)


def test_crops_go_and_the_resize_before_them_is_fixed():
    pipeline = [LOAD, RANGE, CROP, FLIP, dict(type='MinIoURandomCrop')]
    stock = copy.deepcopy(pipeline)
    found, crops = without_crops(pipeline)
    resize = dict(type='mmdet.Resize', scale=(64, 32), keep_ratio=True)
    assert found == [LOAD, resize, FLIP]
    assert crops == ['RandomCrop', 'MinIoURandomCrop']
    assert pipeline == stock


def test_without_crops_nothing_changes():
    scales = dict(type='RandomResize', scale=[(64, 32), (80, 40)])
    pipeline = [LOAD, RANGE, scales, dict(type='RandomChoice', transforms=[[FLIP], [RANGE]])]
    assert without_crops(pipeline) == (pipeline, [])


def test_branches_are_searched():
    choice = dict(type='RandomChoice', transforms=[[FLIP], [RANGE, CROP, FLIP]])
    apply = dict(type='RandomApply', transforms=[CROP], prob=0.5)
    found, crops = without_crops([LOAD, choice, apply])
    resize = dict(type='mmdet.Resize', scale=(64, 32), keep_ratio=True)
    assert found == [LOAD, dict(type='RandomChoice', transforms=[[FLIP], [resize, FLIP]])]
    assert crops == ['RandomCrop', 'RandomCrop']


def test_transforms_that_move_the_content_are_named():
    pipeline = [LOAD, dict(type='CachedMosaic'), FLIP, dict(type='mmdet.RandomAffine')]
    assert moving(pipeline) == ['CachedMosaic', 'RandomAffine']
