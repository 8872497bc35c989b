import json

import mmcv
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmcv.transforms import Compose
from mmdet.evaluation import CocoMetric
from mmengine.registry import DATASETS, init_default_scope

CLASSES = [
    'person',
    'bicycle',
    'car',
    'motorcycle',
    'bus',
    'truck',
    'traffic_light',
    'stop_sign',
]
BOXES = {10: [(2, [10, 20, 30, 40])], 11: [(6, [5, 5, 4, 8]), (0, [50, 60, 10, 20])], 12: []}


@pytest.fixture
def root(tmp_path):
    """Two videos of 2 and 1 frames, listed out of order, without ``file_name``."""
    annotations = [
        {
            'id': len(BOXES) * image + index,
            'image_id': image,
            'category_id': category,
            'bbox': box,
            'area': box[2] * box[3],
            'iscrowd': 0,
            'track': index,
        }
        for image, boxes in BOXES.items()
        for index, (category, box) in enumerate(boxes)
    ]
    images = [
        {'id': 12, 'sid': 1, 'fid': 0, 'name': 'c.jpg'},
        {'id': 11, 'sid': 0, 'fid': 1, 'name': 'b.jpg'},
        {'id': 10, 'sid': 0, 'fid': 0, 'name': 'a.jpg'},
    ]
    content = {
        'images': [{**image, 'width': 192, 'height': 120} for image in images],
        'annotations': annotations,
        'categories': [{'id': i, 'name': name} for i, name in enumerate(CLASSES)],
        'sequences': ['one', 'two'],
        'seq_dirs': ['train/one/ring_front_center', 'train/two/ring_front_center'],
        'coco_mapping': [0, 1, 2, 3, 5, 7, 9, 11],
    }
    (tmp_path / 'annotations.json').write_text(json.dumps(content))
    return tmp_path


def build(root, **settings):
    init_default_scope('mmdet')
    return DATASETS.build(
        dict(
            type='lzu_mm.ArgoverseHDDataset',
            data_root=str(root),
            ann_file='annotations.json',
            data_prefix=dict(img='tracking/'),
            pipeline=[],
            **settings,
        )
    )


def test_frames_come_in_the_order_of_the_videos(root):
    dataset = build(root, test_mode=True)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info['img_id'] for info in infos] == [10, 11, 12]
    assert [(info['video_id'], info['frame_id']) for info in infos] == [(0, 0), (0, 1), (1, 0)]
    assert [info['video_length'] for info in infos] == [2, 2, 1]
    assert infos[2]['img_path'] == f'{root}/tracking/train/two/ring_front_center/c.jpg'


def test_boxes_and_labels(root):
    info = build(root, test_mode=True).get_data_info(1)
    assert [instance['bbox'] for instance in info['instances']] == [[5, 5, 9, 13], [50, 60, 60, 80]]
    assert [instance['bbox_label'] for instance in info['instances']] == [6, 0]


def test_classes_and_palette_match(root):
    metainfo = build(root).metainfo
    assert list(metainfo['classes']) == CLASSES
    assert len({tuple(color) for color in metainfo['palette']}) == len(CLASSES)


def test_images_without_boxes_are_filtered_from_training(root):
    dataset = build(root, filter_cfg=dict(filter_empty_gt=True))
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == [10, 11]


def test_a_subset_of_classes(root):
    info = build(root, metainfo=dict(classes=('traffic_light',))).get_data_info(1)
    assert [instance['bbox_label'] for instance in info['instances']] == [0]


def test_video_metainfo_reaches_the_sample(root):
    for name in ('one/ring_front_center/a.jpg', 'one/ring_front_center/b.jpg'):
        mmcv.imwrite(np.zeros((120, 192, 3), np.uint8), str(root / 'tracking' / 'train' / name))
    keys = ('img_id', 'img_shape', 'video_id', 'frame_id', 'video_length')
    dataset = build(root, test_mode=True)
    dataset.pipeline = Compose(
        [dict(type='LoadImageFromFile'), dict(type='PackDetInputs', meta_keys=keys)]
    )
    sample = dataset[1]['data_samples']
    assert (sample.video_id, sample.frame_id, sample.video_length) == (0, 1, 2)


def test_the_stock_metric_evaluates_it(root):
    dataset = build(root, test_mode=True)
    metric = CocoMetric(ann_file=str(root / 'annotations.json'), metric='bbox')
    metric.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        boxes = np.array([item['bbox'] for item in info['instances']], np.float32).reshape(-1, 4)
        labels = np.array([item['bbox_label'] for item in info['instances']], int)
        prediction = dict(
            bboxes=torch.from_numpy(boxes),
            scores=torch.ones(len(boxes)),
            labels=torch.from_numpy(labels),
        )
        metric.process(
            {}, [dict(pred_instances=prediction, img_id=info['img_id'], ori_shape=(120, 192))]
        )
    assert metric.evaluate(size=len(dataset))['coco/bbox_mAP'] == 1.0


@pytest.mark.parametrize('key', ['seq_dirs', 'sid', 'fid', 'name'])
def test_plain_coco_files_are_refused(root, key):
    path = root / 'annotations.json'
    content = json.loads(path.read_text())
    content.pop(key, None)
    for image in content['images']:
        image.pop(key, None)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'ann_file=.*{key}.*CocoDataset'):
        build(root)
