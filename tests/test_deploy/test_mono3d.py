"""Files of monocular 3D detectors, and the static forms that they are made of."""

import numpy as np
import onnx
import pytest
import torch
from mmcv.ops import DeformConv2dPack, ModulatedDeformConv2dPack, box_iou_rotated
from mmengine.config import ConfigDict

from lzu_mm.deploy import OnnxModel, deform, export_onnx, mono3d
from lzu_mm.deploy.deployed import match_boxes
from lzu_mm.deploy.detectors_3d import _rows_3d
from lzu_mm.deploy.export import structured_image
from lzu_mm.deploy.tasks import task_of

from .families import small_model

pytest.importorskip('mmdet3d')

from mmdet3d.models.layers import box3d_multiclass_nms
from mmdet3d.structures import (
    CameraInstance3DBoxes,
    Det3DDataSample,
    points_img2cam,
    xywhr2xyxyr,
)

SIZE = (128, 192)
LOOK = dict(scale=0.5, saliency=dict(type='lzu_mm.HorizonSaliency', row=0.4))
# Two levels of two stages: an export takes as long as its graph.
SMALL = {
    'backbone.depth': 18,
    'backbone.style': 'pytorch',
    'backbone.num_stages': 2,
    'backbone.strides': (1, 2),
    'backbone.dilations': (1, 1),
    'backbone.out_indices': (0, 1),
    'backbone.dcn': None,
    'backbone.stage_with_dcn': (False, False),
    'neck.in_channels': [64, 128],
    'neck.start_level': 0,
    'neck.num_outs': 2,
    'bbox_head.stacked_convs': 1,
    'bbox_head.strides': (4, 8),
    'bbox_head.regress_ranges': ((-1, 48), (48, 1e8)),
    'test_cfg.nms_pre': 100,
    'test_cfg.nms_thr': 0.3,
    'test_cfg.max_per_img': 40,
}


def image(flipped=False):
    pixels = np.ascontiguousarray(structured_image(SIZE).transpose(2, 0, 1))
    return torch.from_numpy(pixels).flip(-1) if flipped else torch.from_numpy(pixels)


def mono_batch(pixels, focal):
    cam2img = [[focal, 0, 90.0], [0, focal, 70.0], [0, 0, 1]]
    metainfo = dict(img_shape=SIZE, ori_shape=SIZE, scale_factor=(1.0, 1.0), cam2img=cam2img)
    sample = Det3DDataSample(metainfo=dict(metainfo, box_type_3d=CameraInstance3DBoxes))
    return dict(inputs=dict(img=[pixels]), data_samples=[sample])


def test_a_file_gives_what_test_step_gives_for_every_camera(tmp_path):
    """With deformable convolutions in the head."""
    model = small_model('FCOS3D', LOOK, **SMALL)
    path = tmp_path / 'end2end.onnx'
    with pytest.raises(ValueError, match='--opset 19'):
        export_onnx(model, path, SIZE)
    found = export_onnx(model, path, SIZE, opset=19)
    assert found['missing'] == 0 and found['boxes (relative)'] < 1e-4
    graph = onnx.load(path).graph
    assert {node.domain for node in graph.node} == {''}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    outputs = dict(bboxes_3d=[1, 40, 7], scores_3d=[1, 40], labels_3d=[1, 40])
    outputs.update(velocities=[1, 40, 2], attributes=[1, 40])
    assert shapes == dict(input=[1, 3, *SIZE], cam2img=[1, 4, 4], **outputs)

    file = OnnxModel(path)
    for flipped, focal in ((False, 120.0), (True, 300.0)):
        with torch.no_grad():
            (expected,) = model.test_step(mono_batch(image(flipped), focal))
        (got,) = file.test_step(mono_batch(image(flipped), focal))
        assert got.cam2img == expected.cam2img
        expected, got = expected.pred_instances_3d, got.pred_instances_3d
        assert len(expected) > 20
        assert isinstance(got.bboxes_3d, CameraInstance3DBoxes)
        for key in ('scores_3d', 'labels_3d', 'attr_labels'):
            torch.testing.assert_close(got[key], expected[key], atol=1e-4, rtol=0)
        found, wanted = got.bboxes_3d.tensor, expected.bboxes_3d.tensor
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-4)
    batch = mono_batch(image(), 120.0)
    batch['data_samples'][0].set_metainfo(dict(cam2img=None))
    with pytest.raises(ValueError, match='the file needs cam2img'):
        file.test_step(batch)


@pytest.mark.parametrize(
    ('family', 'changes', 'output'),
    [('PGD', {**SMALL, 'bbox_head.dcn_on_last_conv': False}, 'bboxes'), ('SMOKE', {}, 'bboxes_3d')],
)
def test_static_forms_give_what_stock_ones_give(family, changes, output):
    """Run without a trace, which would take long."""
    model = small_model(family, LOOK, **changes)
    deployed, pixels = task_of(model, SIZE), image(True)[None]
    with torch.no_grad():
        sample = deployed.predict(pixels)
        with deployed.static():
            found = deployed(*deployed.arguments(pixels))
    outputs = {name: value.numpy() for name, value in zip(deployed.outputs, found)}
    assert len(sample.pred_instances_3d) > 5 and output in outputs
    found = deployed.differences(sample, outputs)
    assert found['missing'] == 0 and found['boxes (relative)'] < 1e-4


def bev_boxes(count, generator):
    draw = torch.rand(count, 5, generator=generator)
    return draw * torch.tensor([8, 8, 5, 5, 6]) + torch.tensor([0, 0, 1, 1, -3])


def test_overlaps_are_those_of_rotated_boxes(generator):
    boxes = bev_boxes(60, generator)
    boxes[10:20, 4] = 0
    boxes[20:25] = boxes[:5]  # the same
    boxes[13] = boxes[12] + torch.tensor([1.0, 0, 0, 0, 0])  # edges on edges
    overlaps = box_iou_rotated(boxes, boxes)
    torch.testing.assert_close(mono3d.bev_overlaps(boxes), overlaps, atol=1e-4, rtol=0)


@pytest.mark.parametrize('rotated', [True, False])
def test_boxes_are_suppressed_as_by_the_stock_function(rotated, generator):
    planes = bev_boxes(80, generator)
    scores = torch.rand(80, 4, generator=generator)
    cfg = ConfigDict(use_rotate_nms=rotated, nms_thr=0.2)
    labels = torch.arange(80)
    arguments = (torch.rand(80, 9, generator=generator), xywhr2xyxyr(planes), scores, 0.3, 30, cfg)
    expected = box3d_multiclass_nms(*arguments, labels, labels)
    found = mono3d.static_nms_3d(*arguments, labels, labels)
    kept = found[1] > 0
    assert len(expected[1]) == kept.sum() > 10
    for one, other in zip(found, expected):
        torch.testing.assert_close(one[kept], other)


def test_points_are_seen_through_any_camera(generator):
    camera = torch.eye(4)
    camera[:3] += torch.rand(3, 4, generator=generator)
    points = torch.rand(20, 3, generator=generator) * 50
    torch.testing.assert_close(
        mono3d.static_img2cam(points, camera), points_img2cam(points, camera), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize('kind', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_deformable_convolutions(kind, generator, tmp_path):
    import onnxruntime

    layer = kind(4, 6, 3, stride=2, padding=1, deform_groups=2).eval()
    torch.nn.init.normal_(layer.conv_offset.weight, std=0.3)
    values = torch.randn(1, 4, 12, 15, generator=generator)
    with torch.no_grad(), deform.static_deform():
        program = torch.export.export(layer, (values,), strict=False)
    assert deform.deforms(program)
    path = str(tmp_path / 'layer.onnx')
    torch.onnx.export(
        program,
        dynamo=True,
        opset_version=19,
        custom_translation_table=deform.translations(),
        verbose=False,
    ).save(path)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    (found,) = session.run(None, {session.get_inputs()[0].name: values.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), layer(values).detach(), atol=1e-4, rtol=0)


def test_rows_tell_boxes_apart_by_all_that_belongs_to_them():
    base = dict(
        bboxes_3d=np.array([[1, 2, 30, 4, 2, 2, 3.1]] * 2, np.float32),
        velocities=np.array([[1, 2]] * 2, np.float32),
        attributes=np.array([3, 3]),
        scores_3d=np.array([0.9, 0.1], np.float32),  # the worst may be cut off
    )
    tolerance = {'boxes (relative)': 1e-3, 'scores': 1e-3, 'missing': 0}

    def compare(**changes):
        rows, others = _rows_3d(base), _rows_3d({**base, **changes})
        return match_boxes(rows, np.ones(2), others, np.ones(2), tolerance)['missing']

    assert compare() == 0
    turned = base['bboxes_3d'] + np.array([0, 0, 0, 0, 0, 0, 2 * np.pi], np.float32)
    assert compare(bboxes_3d=turned) == 0
    assert compare(bboxes_3d=base['bboxes_3d'] * np.float32(1.01)) > 0
    assert compare(velocities=base['velocities'] * -1) > 0
    assert compare(attributes=np.array([4, 4])) > 0
