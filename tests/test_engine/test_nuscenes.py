"""Evaluating nuScenes without a GPU, and without detections."""

from types import SimpleNamespace

import pytest
import torch

nuscenes_metric = pytest.importorskip('mmdet3d.evaluation.metrics.nuscenes_metric')
pyquaternion = pytest.importorskip('pyquaternion')
data_classes = pytest.importorskip('nuscenes.utils.data_classes')
evaluate = pytest.importorskip('nuscenes.eval.detection.evaluate')

from nuscenes.eval.common.data_classes import EvalBoxes  # noqa: E402
from nuscenes.eval.detection.data_classes import DetectionBox  # noqa: E402

from lzu_mm.engine import adapt_nuscenes_metric  # noqa: E402


@pytest.fixture(autouse=True, scope='module')
def _adapted():
    adapt_nuscenes_metric()


no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')


@no_gpu
def test_boxes_are_converted_on_the_cpu():
    box = data_classes.Box(
        center=[1, 2, 30],
        size=[1.5, 4.0, 1.25],  # width, length, height
        orientation=pyquaternion.Quaternion(axis=[0, 0, 1], angle=0.5),
        label=3,
        score=0.75,
        velocity=(5, 6, 7),
    )
    boxes, scores, labels = nuscenes_metric.nusc_box_to_cam_box3d([box])
    assert boxes.tensor.device.type == 'cpu'
    # Length, height, width; yaw reversed; the velocity along x and z; at the bottom, half a height
    # further along y, which points down.
    expected = [1, 2 + 1.25 / 2, 30, 4.0, 1.25, 1.5, -0.5, 5, 7]
    torch.testing.assert_close(boxes.tensor, torch.tensor([expected]))
    assert scores.shape == (1, 11)
    assert scores[0, 3] == 0.75
    assert scores.sum() == 0.75
    assert labels.tolist() == [3]


@no_gpu
def test_nothing_else_stays_on_the_cpu():
    nuscenes_metric.nusc_box_to_cam_box3d([])
    with pytest.raises((AssertionError, RuntimeError)):
        torch.zeros(1).cuda()


def test_no_detections_at_all_are_filtered_to_none():
    boxes = EvalBoxes()
    boxes.add_boxes('token', [])
    assert evaluate.filter_eval_boxes(None, boxes, {'car': 50}) is boxes


def test_detections_out_of_range_are_filtered_still():
    near, far = (DetectionBox('token', ego_translation=(x, 0, 0)) for x in (40, 60))
    near.detection_name = far.detection_name = 'car'
    boxes = EvalBoxes()
    boxes.add_boxes('token', [near, far])
    nusc = SimpleNamespace(get=lambda table, token: dict(anns=[]))
    assert evaluate.filter_eval_boxes(nusc, boxes, {'car': 50}).all == [near]


def test_adapting_twice_changes_nothing():
    before = nuscenes_metric.nusc_box_to_cam_box3d, evaluate.filter_eval_boxes
    adapt_nuscenes_metric()
    assert (nuscenes_metric.nusc_box_to_cam_box3d, evaluate.filter_eval_boxes) == before
