"""Classes that the annotations or the heads do not have."""

import json

import pytest
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import nn

from lzu_mm.engine import build_runner, check_classes, load_config, run_tool
from lzu_mm.engine.classes import check_order

from ..conftest import ROOT

pytest.importorskip('mmdet')
CLASSES = ('signal', 'person', 'car')


@pytest.fixture
def dataset(tmp_path):
    """Builds a data set whose annotations have three categories, with gaps between their ids."""
    categories = [dict(id=i, name=name) for i, name in ((1, 'person'), (2, 'car'), (7, 'signal'))]
    boxes = [
        dict(id=i + 1, image_id=0, category_id=k['id'], bbox=[5, 5, 9, 9], area=81, iscrowd=0)
        for i, k in enumerate(categories)
    ]
    image = dict(id=0, file_name='a.png', width=40, height=30)
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(dict(images=[image], annotations=boxes, categories=categories)))
    init_default_scope('mmdet')

    def build(classes, **wrapped):
        plain = dict(
            type='CocoDataset',
            ann_file=str(path),
            data_prefix=dict(img=''),
            filter_cfg=dict(filter_empty_gt=True),
            metainfo=dict(classes=classes),
        )
        return DATASETS.build(dict(wrapped, dataset=plain) if wrapped else plain)

    return build


def detector(*numbers):
    """Heads for so many classes: one, or those of a cascade."""
    heads = [
        MODELS.build(dict(type='RetinaHead', num_classes=n, in_channels=8, feat_channels=8))
        for n in numbers
    ]
    return nn.ModuleDict(dict(bbox_head=heads[0] if len(heads) == 1 else nn.ModuleList(heads)))


@pytest.mark.parametrize('classes', [CLASSES, ('car',), ('car', 'signal')])
def test_right_classes_pass(dataset, classes):
    check_classes(dataset(classes), detector(len(classes)))
    check_classes(dataset(classes, type='RepeatDataset', times=2), detector(*[len(classes)] * 3))


def test_a_misspelt_class_is_named_with_those_that_there_are(dataset):
    words = (
        r"has no category 'cars'; its categories are 'person', 'car', 'signal'.*metainfo\.classes"
    )
    for wrapper in ({}, dict(type='RepeatDataset', times=2)):
        with pytest.raises(ValueError, match=words):
            check_classes(dataset(('person', 'cars', 'signal'), **wrapper))


def test_a_string_is_no_tuple_of_classes(dataset):
    with pytest.raises(ValueError, match=r"is the string 'car'.*\('car',\), with a comma"):
        check_classes(dataset('car'))


def test_annotations_of_none_of_the_classes_end_in_words(dataset, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['tool'])
    with pytest.raises(SystemExit):
        run_tool(lambda: dataset(('bus', 'tram')))
    assert 'metainfo.classes names its classes as' in capsys.readouterr().err


@pytest.mark.parametrize('numbers', [(80,), (2,), (3, 3, 4)])
def test_heads_of_other_numbers_are_refused(dataset, numbers):
    words = rf'bbox_head.* has num_classes={numbers[-1]}, and CocoDataset has 3 classes'
    with pytest.raises(ValueError, match=words):
        check_classes(dataset(CLASSES), detector(*numbers))


def test_files_whose_categories_are_in_other_orders_are_refused(dataset, tmp_path):
    train = dataset(CLASSES)
    check_order(train, dataset(CLASSES))
    path = tmp_path / 'boxes.json'
    content = json.loads(path.read_text())
    content['categories'].reverse()
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='in different orders'):
        check_order(train, dataset(CLASSES))


def test_training_refuses_them_before_its_first_batch(mini_street, tmp_path, monkeypatch):
    monkeypatch.setenv('MINI_STREET', str(mini_street))
    config = 'configs/retinanet/uniform_retinanet_r18_fpn_mini-street-0.25x.py'
    cfg = load_config(ROOT / config)
    cfg.work_dir, cfg.model.bbox_head.num_classes = str(tmp_path), 2
    runner = build_runner(cfg)
    with pytest.raises(ValueError, match='bbox_head has num_classes=2'):
        runner.train()
