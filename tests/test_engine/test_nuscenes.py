"""Evaluating nuScenes without a GPU."""

import pytest
import torch

nuscenes_metric = pytest.importorskip('mmdet3d.evaluation.metrics.nuscenes_metric')
pyquaternion = pytest.importorskip('pyquaternion')
data_classes = pytest.importorskip('nuscenes.utils.data_classes')

import lzu_mm  # noqa: E402, F401  # adapts the metric
from lzu_mm.engine import evaluate_nuscenes_without_gpu  # noqa: E402

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')


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


def test_nothing_else_stays_on_the_cpu():
    nuscenes_metric.nusc_box_to_cam_box3d([])
    with pytest.raises((AssertionError, RuntimeError)):
        torch.zeros(1).cuda()


def test_adapting_twice_changes_nothing():
    before = nuscenes_metric.nusc_box_to_cam_box3d
    evaluate_nuscenes_without_gpu()
    assert nuscenes_metric.nusc_box_to_cam_box3d is before
