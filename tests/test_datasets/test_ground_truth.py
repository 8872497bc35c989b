from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from PIL import Image

from lzu_mm.datasets.ground_truth import (
    base_datasets,
    boxes_of,
    has_boxes,
    image_path_of,
    image_size_of,
    labels_of,
)
from lzu_mm.saliency.estimation.boundaries import boundary_saliency
from lzu_mm.saliency.estimation.dataset import dataset_saliency, saliency_method
from lzu_mm.saliency.estimation.kde import box_saliency

BOXES = [[[10, 10, 30, 40]], [[100, 20, 140, 60], [0, 0, 5, 5]], []]


class Boxes(BaseDataset):
    """Images of 100x200 with boxes, as MMDetection's datasets describe them."""

    METAINFO = dict(classes=('thing',))

    def load_data_list(self):
        return [
            dict(
                img_path=f'{index}.jpg',
                height=100,
                width=200,
                instances=[dict(bbox=box, bbox_label=0, ignore_flag=0) for box in boxes],
            )
            for index, boxes in enumerate(BOXES)
        ]

    def get_cat_ids(self, index):
        return [0]


class Labels(BaseDataset):
    """Label maps, as MMSegmentation's datasets describe them."""

    def load_data_list(self):
        return [
            dict(
                img_path='0.png',
                seg_map_path=str(self.data_root) + '/labels.png',
                seg_fields=[],
                label_map=None,
                reduce_zero_label=False,
            )
        ]


@pytest.fixture
def boxes():
    return Boxes()


def test_wrappers_are_looked_through(boxes):
    other = Boxes()
    both = ConcatDataset([boxes, other])
    assert list(base_datasets(both)) == [boxes, other]
    assert list(base_datasets(RepeatDataset(boxes, times=3))) == [boxes]
    assert list(base_datasets(ClassBalancedDataset(boxes, oversample_thr=1.0))) == [boxes]
    assert list(base_datasets(SimpleNamespace(dataset=both))) == [boxes, other]


def test_repetition_does_not_change_the_saliency(boxes):
    plain = dataset_saliency(boxes, 'boxes', (5, 7))
    repeated = dataset_saliency(RepeatDataset(boxes, times=3), 'boxes', (5, 7))
    assert plain.count == repeated.count == 3
    torch.testing.assert_close(plain.map, repeated.map)


def test_one_estimate_over_all_boxes(boxes):
    found = dataset_saliency(boxes, 'boxes', (5, 7), bandwidth=30, amplitude=2)
    every_box = torch.tensor([box for image in BOXES for box in image]).double()
    expected = box_saliency(every_box, (100, 200), (5, 7), 30, 2).float()
    assert found.count == 3
    torch.testing.assert_close(found.map, expected)
    shares = every_box.float() / torch.tensor([200, 100, 200, 100])
    torch.testing.assert_close(found.boxes, shares.clamp(0, 1))


def test_progress_sees_every_image_once(boxes):
    seen = []

    def track(work):
        for item in work:
            seen.append(item[1])
            yield item

    dataset_saliency(RepeatDataset(boxes, times=2), 'boxes', (5, 7), track=track)
    assert seen == [0, 1, 2]


def test_regions_to_be_ignored_are_left_out():
    info = dict(
        instances=[
            dict(bbox=[0, 0, 1, 1], ignore_flag=1),
            dict(bbox=[0, 0, 2, 2], ignore_flag=0),
            dict(bbox=[0, 0, 3, 3]),
        ]
    )
    assert boxes_of(info).tolist() == [[0, 0, 2, 2], [0, 0, 3, 3]]


@pytest.mark.parametrize('key', ['ann_info', 'eval_ann_info'])
def test_boxes_of_mono_3d(key):
    valid = np.array([[1, 2, 3, 4]], np.float32)
    info = {key: dict(gt_bboxes=valid), 'instances': [dict(bbox=[0, 0, 9, 9])] * 2, 'images': {}}
    assert has_boxes(info)
    assert boxes_of(info).tolist() == valid.tolist()


def test_labels_are_read_as_the_pipeline_reads_them(tmp_path):
    transforms = pytest.importorskip('mmseg.datasets.transforms')
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 30:] = 7
    cv2.imwrite(str(tmp_path / 'labels.png'), labels)
    dataset = Labels(data_root=str(tmp_path), pipeline=[transforms.LoadAnnotations()])
    # Custom classes: 7 is the new 1, 0 is not wanted.
    info = {**dataset.get_data_info(0), 'label_map': {7: 1, 0: 255}}
    assert labels_of(dataset, info).unique().tolist() == [1, 255]
    assert saliency_method(dataset) == 'boundaries'
    found = dataset_saliency(dataset, 'boundaries', (4, 6))
    assert found.count == 1
    expected = boundary_saliency(torch.from_numpy(labels), (4, 6))
    torch.testing.assert_close(found.map, expected)


def test_labels_need_a_pipeline_that_loads_them(tmp_path):
    dataset = Labels(data_root=str(tmp_path))
    with pytest.raises(ValueError, match='LoadAnnotations'):
        labels_of(dataset, dataset.get_data_info(0))


def test_image_size_from_annotations_or_from_the_file(tmp_path):
    assert image_size_of(dict(img_path='absent.jpg', height=3, width=5)) == (3, 5)
    path = str(tmp_path / 'image.jpg')
    cv2.imwrite(path, np.zeros((12, 34, 3), np.uint8))
    assert image_size_of(dict(img_path=path)) == (12, 34)
    assert image_size_of(dict(img_path=path), dict(backend='local')) == (12, 34)
    info = dict(images=dict(CAM_FRONT=dict(img_path=path)))
    assert image_size_of(info) == (12, 34)
    assert image_path_of(info) == path


def test_kittis_infos_hold_one_image_among_several_cameras():
    image = dict(img_path='0.png', height=370, width=1224)
    info = dict(images=dict(CAM0={}, CAM1={}, CAM2=image, CAM3={}, R0_rect=[]))
    assert image_size_of(info) == (370, 1224)
    assert image_path_of(info) == '0.png'


def test_the_size_of_a_turned_image_is_that_of_its_loaded_pixels(tmp_path):
    path = str(tmp_path / 'turned.jpg')
    exif = Image.Exif()
    exif[274] = 6
    Image.new('RGB', (34, 12)).save(path, exif=exif)
    loaded = LoadImageFromFile()(dict(img_path=path))
    assert image_size_of(dict(img_path=path)) == tuple(loaded['ori_shape']) == (34, 12)


def test_several_images_per_sample_are_refused():
    info = dict(images=dict(CAM_FRONT=dict(img_path='a'), CAM_BACK=dict(img_path='b')))
    with pytest.raises(ValueError, match='mv_image_based'):
        image_path_of(info)


def test_nothing_to_learn_from_is_an_error(tmp_path, boxes):
    with pytest.raises(ValueError, match='no boxes'):
        dataset_saliency(boxes.get_subset([2]), 'boxes', (5, 7))
    with pytest.raises(ValueError, match='data_root'):
        saliency_method(boxes.get_subset([]))


def test_method_follows_the_annotations(boxes):
    assert saliency_method(RepeatDataset(boxes, times=2)) == 'boxes'
