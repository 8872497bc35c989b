import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from lzu_mm.visualization import labels_of_sample


def test_boxes_are_in_the_frame_of_the_phase():
    structures = pytest.importorskip('mmdet.structures')
    boxes = pytest.importorskip('mmdet.structures.bbox').HorizontalBoxes([[10.0, 20, 30, 40]])
    sample = structures.DetDataSample(metainfo=dict(img_shape=(50, 100), ori_shape=(100, 200)))
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([3]))
    training, testing = labels_of_sample(sample, True), labels_of_sample(sample, False)
    assert training.classes == [3]
    expected = [(0.1, 0.4), (0.3, 0.4), (0.3, 0.8), (0.1, 0.8), (0.1, 0.4)]
    np.testing.assert_allclose(training.outlines[0], expected)
    np.testing.assert_allclose(testing.outlines[0], np.array(expected) / 2)


def test_label_maps():
    structures = pytest.importorskip('mmseg.structures')
    sample = structures.SegDataSample(metainfo=dict(img_shape=(2, 2), ori_shape=(2, 2)))
    sample.gt_sem_seg = PixelData(data=torch.tensor([[[1, 2], [3, 255]]]))
    labels = labels_of_sample(sample, True)
    assert labels.label_map.tolist() == [[1, 2], [3, 255]]
    assert labels.outlines == []


@pytest.fixture
def camera_boxes():
    structures = pytest.importorskip('mmdet3d.structures')

    def make(*rows):
        return structures.CameraInstance3DBoxes(torch.tensor(rows), origin=(0.5, 0.5, 0.5))

    return make


def mono_sample(**fields):
    structures = pytest.importorskip('mmdet3d.structures')
    cam2img = [[100.0, 0, 80], [0, 100, 60], [0, 0, 1]]
    sample = structures.Det3DDataSample(metainfo=dict(cam2img=cam2img, img_shape=(120, 160)))
    for name, value in fields.items():
        setattr(sample, name, value)
    return sample


def test_boxes_3d_are_projected(camera_boxes):
    # A cube of 2 m, its centre 5 m ahead: faces at 4 and 6 m.
    instances = InstanceData(
        bboxes_3d=camera_boxes([0.0, 0, 5, 2, 2, 2, 0]), labels_3d=torch.tensor([4])
    )
    labels = labels_of_sample(mono_sample(gt_instances_3d=instances), True)
    assert labels.classes == [4] * 12
    corners = np.unique(np.round(np.concatenate(labels.outlines) * (160, 120), 3), axis=0)
    near, far = 100 / 4, 100 / 6
    expected = [(80 + sx * d, 60 + sy * d) for d in (near, far) for sx in (-1, 1) for sy in (-1, 1)]
    np.testing.assert_allclose(corners, sorted(expected), atol=2e-3)


def test_edges_are_the_sides_of_a_box(camera_boxes):
    instances = InstanceData(
        bboxes_3d=camera_boxes([0.0, 0, 50, 2, 2, 2, 0]), labels_3d=torch.tensor([0])
    )
    labels = labels_of_sample(mono_sample(gt_instances_3d=instances), True)
    # Far away, each of the twelve edges runs along one axis: no diagonals.
    for start, end in labels.outlines:
        assert np.isclose((end - start) * (160, 120), 0, atol=0.2).any()


def test_boxes_behind_the_camera_are_cut(camera_boxes):
    boxes = camera_boxes([0.0, 0, -9, 2, 2, 2, 0], [0.0, 3, 0, 2, 2, 2, 0])
    instances = InstanceData(bboxes_3d=boxes, labels_3d=torch.tensor([1, 2]))
    labels = labels_of_sample(mono_sample(gt_instances_3d=instances), True)
    assert set(labels.classes) == {2}
    assert len(labels.outlines) == 8  # the four edges behind are gone
    assert np.isfinite(np.concatenate(labels.outlines)).all()


def test_boxes_set_aside_for_evaluation(camera_boxes):
    held_back = dict(gt_bboxes_3d=camera_boxes([0.0, 0, 5, 2, 2, 2, 0]), gt_labels_3d=np.array([7]))
    labels = labels_of_sample(mono_sample(eval_ann_info=held_back), False)
    assert labels.classes == [7] * 12


def test_samples_without_labels_have_none():
    structures = pytest.importorskip('mmdet.structures')
    labels = labels_of_sample(structures.DetDataSample(metainfo=dict(img_shape=(2, 2))), False)
    assert labels.outlines == []
    assert labels.label_map is None
