"""The controls: band crop and slices."""

import itertools

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from benchmarks.controls import CropBox, CroppedCocoMetric, RandomSlice, SlicedTTA
from benchmarks.controls.crop import smallest_box
from benchmarks.controls.slices import slice_boxes
from lzu_mm.data_preprocessors import ZoomDetDataPreprocessor

from ..test_evaluation.test_fine_coco import annotations, evaluate  # noqa: F401


def test_the_smallest_box_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for count, share in ((9, 0.7), (12, 0.8), (7, 1.0)):
        points = rng.random((count, 2)) * (2, 1)
        left, top, right, bottom = smallest_box(points, share)
        inside = ((points >= (left, top)) & (points <= (right, bottom))).all(1).sum()
        assert inside >= share * count
        xs, ys = (sorted(axis) for axis in points.T)
        areas = [
            (x2 - x1) * (y2 - y1)
            for x1, x2 in itertools.combinations(xs, 2)
            for y1, y2 in itertools.combinations(ys, 2)
            if ((points >= (x1, y1)) & (points <= (x2, y2))).all(1).sum() >= share * count
        ]
        assert (right - left) * (bottom - top) == pytest.approx(min(areas))


def loaded():
    """An image whose pixels tell where they are, with three boxes."""
    rows, columns = np.mgrid[:60, :100]
    image = np.stack([rows, columns, rows * 0], -1).astype(np.uint8)
    boxes = torch.tensor([[10.0, 10, 30, 30], [45, 20, 55, 40], [80, 40, 100, 60]])
    return dict(
        img=image,
        img_shape=(60, 100),
        ori_shape=(60, 100),
        gt_bboxes=HorizontalBoxes(boxes),
        gt_bboxes_labels=np.array([0, 1, 2]),
        gt_ignore_flags=np.zeros(3, bool),
    )


def test_a_crop_keeps_the_objects_whose_centre_is_in_it():
    found = CropBox((18, 15, 70, 45)).transform(loaded())
    assert found['img'].shape == (30, 52, 3)
    assert found['img'][0, 0].tolist() == [15, 18, 0]
    assert found['ori_shape'] == (60, 100) and found['img_shape'] == (30, 52)
    assert found['ori_crop_offset'] == (18, 15)
    # The first is clipped; the centre of the third, (90, 50), lies outside.
    assert found['gt_bboxes'].tensor.tolist() == [[0, 0, 12, 15], [27, 5, 37, 25]]
    assert found['gt_bboxes_labels'].tolist() == [0, 1]
    assert len(found['gt_ignore_flags']) == 2


def test_the_zoom_leaves_where_a_crop_lies_as_it_is():
    """It is in pixels of the original image, which predictions return to."""
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency'))
    preprocessor = ZoomDetDataPreprocessor(zoom=zoom)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(30, 52), ori_shape=(60, 100), scale_factor=(1, 1), ori_crop_offset=(18, 15)
        )
    )
    batch = dict(inputs=[torch.zeros(3, 30, 52, dtype=torch.uint8)], data_samples=[sample])
    (zoomed,) = preprocessor(batch, training=False)['data_samples']
    assert zoomed.img_shape == (15, 26)
    assert zoomed.ori_crop_offset == (18, 15)


def test_predictions_in_a_crop_are_evaluated_in_the_image(annotations):  # noqa: F811
    path = annotations([(0, 0, 40, 50, 20, 20)])

    class Offset(CroppedCocoMetric):
        def process(self, batch, samples):
            super().process(batch, [{**s, 'ori_crop_offset': (30, 45)} for s in samples])

    assert evaluate(Offset, path, [(0, 0, 0.9, 10.0, 5.0, 20.0, 20.0)])[
        'coco/bbox_mAP'
    ] == pytest.approx(1)
    assert evaluate(Offset, path, [(0, 0, 0.9, 40.0, 50.0, 20.0, 20.0)])['coco/bbox_mAP'] == 0


def test_slices_lie_anywhere_and_nowhere_else():
    offsets = {RandomSlice((58, 97)).transform(loaded())['ori_crop_offset'] for _ in range(200)}
    assert offsets == {(x, y) for x in range(4) for y in range(3)}


def test_pieces_reach_from_edge_to_edge():
    boxes = slice_boxes((800, 1360), (460, 782), 2, 2)
    assert boxes == [
        (0, 0, 782, 460),
        (578, 0, 1360, 460),
        (0, 340, 782, 800),
        (578, 340, 1360, 800),
    ]
    assert slice_boxes((10, 10), (10, 10), 1, 1) == [(0, 0, 10, 10)]


def test_pieces_are_merged_in_the_image():
    """An object in the overlap of two pieces is found once."""

    def piece(offset, boxes, scores):
        instances = InstanceData(
            bboxes=torch.tensor(boxes).float().view(-1, 4),
            scores=torch.tensor(scores),
            labels=torch.zeros(len(scores), dtype=torch.long),
        )
        sample = DetDataSample(metainfo=dict(ori_crop_offset=offset, ori_shape=(60, 100)))
        sample.pred_instances = instances
        return sample

    views = [
        piece((0, 0), [[40, 10, 60, 30]], [0.8]),
        piece((30, 0), [[10, 10, 30, 30], [50, 20, 60, 40]], [0.9, 0.7]),
    ]
    tta_cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    merged = SlicedTTA.merge_preds(_Merging(tta_cfg), [views])[0].pred_instances
    assert merged.bboxes.tolist() == [[40, 10, 60, 30], [80, 20, 90, 40]]
    assert merged.scores.tolist() == pytest.approx([0.9, 0.7])


class _Merging:
    """What merging needs of a test time augmentation model, without a model to wrap."""

    merge_aug_bboxes = SlicedTTA.merge_aug_bboxes
    _merge_single_sample = SlicedTTA._merge_single_sample

    def __init__(self, tta_cfg):
        self.tta_cfg = tta_cfg
