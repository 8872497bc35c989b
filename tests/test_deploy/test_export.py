"""Files of small stock models give what test_step gives; what cannot be exported is refused."""

import copy
import re
import subprocess
import sys
import types
from pathlib import Path

import cv2
import mmcv.ops
import mmdet.models
import mmengine.model
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps

from lzu_mm.deploy import ExportError, OnnxModel, export_onnx, rewrites
from lzu_mm.deploy.deployed import match_boxes
from lzu_mm.deploy.detectors import Detector
from lzu_mm.deploy.tasks import task_of

from .families import SIZE, STOCK, both, check_file, other_image, shapes, small_model
from .test_detectors import SMALL

onnx = pytest.importorskip('onnx')
NARROW = {'bbox_head.stacked_convs': 1, 'bbox_head.num_classes': 2}


# Few layers: an export takes as long as its graph.
ONE_CONV = {'bbox_head.stacked_convs': 1}
SHORT = {
    'RetinaNet': ONE_CONV,
    'FCOS': ONE_CONV,
    'YOLOX': ONE_CONV,
    'RTMDet': ONE_CONV,
    'PSPNet': {},
    # Windows that do not fill the image, and windows that are shifted.
    'UPerNet-Swin': {
        'backbone.depths': [2, 1, 1, 1],
        'decode_head.channels': 32,
        'decode_head.pool_scales': (1, 2),
        'decode_head.num_classes': 7,
    },
    'SegFormer': {'backbone.num_layers': [1, 1, 1, 1]},
}


@pytest.mark.parametrize(
    ('family', 'labels'),
    [*((family, 'resized') for family in SHORT), ('RetinaNet', 'warped'), ('PSPNet', 'warped')],
)
def test_a_file_gives_what_test_step_gives(family, labels, saliency, tmp_path):
    zoom = dict(scale=0.5, saliency=saliency, labels=labels)
    model = small_model(family, zoom, **SHORT[family])
    graph = check_file(model, tmp_path)[2]
    if labels == 'resized':
        assert not {'GridSample', 'GatherElements'} & {node.op_type for node in graph.node}
    count = getattr(task_of(model, SIZE), 'count', 0)
    expected = dict(dets=[1, count, 5], labels=[1, count]) if count else dict(output=[1, 1, *SIZE])
    assert shapes(graph.input) == dict(input=[1, 3, *SIZE]) and shapes(graph.output) == expected


@pytest.fixture(scope='module')
def pspnet(saliency):
    return small_model('PSPNet', dict(scale=0.5, saliency=saliency))


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(opset=20), ValueError, "GridSample .* 'nearest'"),
        (dict(size=(128,)), ValueError, r'\(h, w\)'),
        (dict(path='end2end.pt'), ValueError, 'end in .onnx'),
        (dict(path='there.onnx'), FileExistsError, 'remove it'),
        (dict(path='nowhere/end2end.onnx'), FileNotFoundError, 'no folder'),
        (dict(verify=np.zeros((64, 64, 3), np.uint8)), ValueError, r'\(128, 192, 3\)'),
        (dict(verify=np.zeros((*SIZE, 3))), ValueError, 'float64'),
    ],
)
def test_wrong_arguments(arguments, error, message, pspnet, tmp_path):
    (tmp_path / 'there.onnx').write_text('mine')
    arguments = {'path': 'end2end.onnx', 'size': SIZE, **arguments}
    arguments['path'] = tmp_path / arguments['path']
    with pytest.raises(error, match=message):
        export_onnx(pspnet, **arguments)
    assert [file.read_text() for file in tmp_path.iterdir()] == ['mine']


def test_an_old_torch(pspnet, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.0.1')
    with pytest.raises(ImportError, match=r'torch 2\.9 or newer, not 2\.0\.1'):
        export_onnx(pspnet, tmp_path / 'end2end.onnx', SIZE)


@pytest.mark.parametrize(
    ('family', 'changes', 'message'),
    [
        ('RetinaNet', {'test_cfg.nms.type': 'soft_nms'}, 'no counterpart in ONNX'),
        ('PSPNet', {'test_cfg.mode': 'slide'}, "mode='whole'"),
    ],
)
def test_models_that_have_no_counterpart(family, changes, message, saliency, tmp_path):
    zoom = None if 'test_cfg.mode' in changes else dict(scale=0.5, saliency=saliency)
    model = small_model(family, zoom, excited=False, **changes)
    with pytest.raises(ValueError, match=message):
        export_onnx(model, tmp_path / 'end2end.onnx', SIZE)
    assert not list(tmp_path.iterdir())


def test_an_operation_that_stands_in_the_way_is_named(pspnet, tmp_path):
    model = copy.deepcopy(pspnet)
    head, forward = model.decode_head, model.decode_head.forward
    head.forward = lambda levels: forward(levels) if (levels[-1] > 0).any() else levels[-1]
    with pytest.raises(ExportError, match=r'(?s)EncoderDecoder cannot be traced.*data-dependent'):
        export_onnx(model, tmp_path / 'end2end.onnx', SIZE)
    assert not list(tmp_path.iterdir())


def test_rewrites_are_undone_whatever_happens():
    module = sys.modules['mmdet.models.dense_heads.base_dense_head']
    stock = mmcv.ops.batched_nms
    head = small_model('RetinaNet', excited=False).bbox_head
    cfg, predict = head.test_cfg, mmdet.models.YOLOXHead.predict_by_feat

    def fail():
        with rewrites.static_detector(head, 100, 80):
            assert module.batched_nms is not stock
            assert head.test_cfg.min_bbox_size == -1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert module.batched_nms is stock
    assert head.test_cfg is cfg and cfg.min_bbox_size == 0
    assert mmdet.models.YOLOXHead.predict_by_feat is predict


def test_static_forms_agree_with_stock_functions(generator):
    scores = torch.rand(50, 7, generator=generator)
    priors = torch.arange(50)
    for topk in (20, 1000):
        expected = mmdet.models.utils.filter_scores_and_topk(scores, 0.6, topk, dict(prior=priors))
        found = rewrites.static_topk(scores, 0.6, topk, dict(prior=priors))
        kept = found[0] > 0
        assert len(kept) == min(topk, 350) and kept.sum() == len(expected[0])
        for one, other in zip(found[:3], expected[:3]):
            assert torch.equal(one[kept], other)
        assert torch.equal(found[3]['prior'][kept], expected[3]['prior'])
    image = torch.rand(3, 30, 47, generator=generator)
    for divisor in (1, 16):
        expected = mmengine.model.stack_batch([image], divisor, 5)
        assert torch.equal(rewrites.static_stack([image], divisor, 5), expected)


def test_a_file_that_differs_is_refused(pspnet, tmp_path, monkeypatch):
    class Program:
        model = types.SimpleNamespace(metadata_props={})

        def save(self, path):
            node = onnx.helper.make_node('ReduceMax', ['input'], ['output'], axes=[1], keepdims=1)
            ends = [
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, (1, count, *SIZE))
                for name, count in (('input', 3), ('output', 1))
            ]
            graph = onnx.helper.make_graph([node], 'wrong', ends[:1], ends[1:])
            opset = onnx.helper.make_opsetid('', 17)
            onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)

    monkeypatch.setattr('lzu_mm.deploy.export._trace', lambda *_: Program())
    with pytest.raises(ExportError, match=r"differs from test_step: \{'other labels': [01]"):
        export_onnx(pspnet, tmp_path / 'end2end.onnx', SIZE)
    assert not list(tmp_path.iterdir())


BOXES = np.array([[0, 0, 10, 10, 0.9], [20, 0, 40, 10, 0.7], [0, 30, 10, 60, 0.5]], np.float32)


def test_lists_of_boxes_are_compared_whatever_their_order():
    def compare(boxes, labels):
        return match_boxes(BOXES, np.array([1, 2, 1]), boxes, np.array(labels), Detector.tolerance)

    assert compare(BOXES, [1, 2, 1]) == {'boxes (px)': 0, 'scores': 0, 'missing': 0}
    assert compare(BOXES[[1, 0, 2]], [2, 1, 1])['missing'] == 0
    near = compare(BOXES + 1e-4, [1, 2, 1])
    assert near == pytest.approx({'boxes (px)': 1e-4, 'scores': 1e-4, 'missing': 0}, abs=2e-6)
    assert compare(BOXES, [1, 1, 1])['missing'] == 2  # one of each list
    assert compare(BOXES + np.eye(5)[2], [1, 2, 1])['missing'] > 0
    assert compare(BOXES[1:], [2, 1])['missing'] == 1
    assert compare(BOXES[:2], [1, 2])['missing'] == 0  # the worst may be cut off


@pytest.fixture(scope='module')
def signs(saliency, tmp_path_factory):
    """A model of two classes, and its file."""
    model = small_model('RetinaNet', dict(scale=0.5, saliency=saliency), **NARROW)
    model.dataset_meta = dict(classes=('car', 'sign'), palette=[(0, 0, 142), (220, 220, 0)])
    path = tmp_path_factory.mktemp('signs') / 'end2end.onnx'
    export_onnx(model, path, SIZE)
    return model, path


def test_files_take_the_place_of_models(signs):
    """Boxes come back in pixels of the original; what the file was not made for is refused."""
    model, path = signs
    image = torch.from_numpy(np.ascontiguousarray(other_image().transpose(2, 0, 1)))

    def batch(image=image, **metainfo):
        metainfo = dict(dict(ori_shape=(256, 240), scale_factor=(0.8, 0.5)), **metainfo)
        sample = DetDataSample(metainfo=dict(img_shape=SIZE, img_id=0, **metainfo))
        return dict(inputs=[image], data_samples=[sample])

    file = OnnxModel(path)
    assert file.dataset_meta == dict(classes=['car', 'sign'], palette=[[0, 0, 142], [220, 220, 0]])
    assert file.metadata['names'] == "{0: 'car', 1: 'sign'}"
    assert file.metadata['imgsz'] == '[128, 192]' and file.metadata['task'] == 'detect'
    data = batch()
    with torch.no_grad():
        expected = model.test_step(batch())[0].pred_instances
    for runner in (file, copy.deepcopy(file)):
        found = runner.test_step(data)[0].pred_instances
        assert len(expected) > 20
        for key in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(found[key], expected[key], atol=1e-3, rtol=0)
    assert 'pred_instances' not in data['data_samples'][0]

    with pytest.raises(ValueError, match=r'shape \(3, 128, 192\), got uint8 of \(3, 64, 192\)'):
        file.test_step(batch(image[:, ::2]))
    with pytest.raises(ValueError, match='got float32'):
        file.run(image.float())
    with pytest.raises(ValueError, match='flipped'):
        file.test_step(batch(flip=True, flip_direction='horizontal'))
    padded = image.clone()
    padded[:, 64:] = 0
    with pytest.raises(ValueError, match=r'shows its original at \(64, 192\)'):
        file.test_step(batch(padded, ori_shape=(128, 240)))
    with pytest.raises(ValueError, match="mode must be 'predict'"):
        file([image], mode='loss')


def test_foreign_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no file'):
        OnnxModel(tmp_path / 'end2end.onnx')


def test_the_program_of_the_docs_runs_with_numpy_and_onnxruntime_alone(signs):
    model, path = signs
    guide = (Path(__file__).parents[2] / 'docs' / 'deploy.md').read_text()
    program = next(b for b in re.findall(r'```python\n(.*?)```', guide, re.S) if 'Session' in b)
    assert len([line for line in program.splitlines() if line]) <= 20
    np.save(path.parent / 'image.npy', other_image())
    others = 'torch', 'mmengine', 'mmdet', 'lzu_mm', 'cv2'
    command = f'import sys\nsys.modules.update(dict.fromkeys({others}))\n{program}'
    printed = subprocess.run(
        [sys.executable, '-c', command], cwd=path.parent, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    found = both(model, path, other_image())[0].pred_instances
    assert len(printed) == (found.scores >= 0.3).sum() > 10
    x1, y1, x2, y2 = found.bboxes[0].tolist()
    name = ('car', 'sign')[int(found.labels[0])]
    box = f'({x1:.0f}, {y1:.0f}) to ({x2:.0f}, {y2:.0f})'
    assert printed[0] == f'{name} {float(found.scores[0]):.2f}: {box}'


def test_plain_resizing_is_an_operation_of_onnx(tmp_path):
    zoom = dict(scale=0.3, antialias=True, saliency=dict(type='UniformSaliency'))
    nodes = check_file(small_model('PSPNet', zoom), tmp_path)[2].node
    assert [node.op_type for node in nodes[:4]] == ['Gather', 'Cast', 'Unsqueeze', 'Resize']


def test_the_convolutions_of_a_file_are_quantised_as_the_docs_say(signs):
    path = signs[1]
    guide = (Path(__file__).parents[2] / 'docs' / 'deploy.md').read_text()
    program = next(b for b in re.findall(r'```python\n(.*?)```', guide, re.S) if 'quantize' in b)
    (path.parent / 'frames').mkdir()
    for i in range(4):
        cv2.imwrite(str(path.parent / 'frames' / f'{i}.png'), np.roll(other_image(), 20 * i, 1))
    subprocess.run([sys.executable, '-c', program], cwd=path.parent, check=True)

    graph = onnx.load(path.parent / 'int8.onnx').graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    first, *inputs = (made[node.input[0]] for node in graph.node if node.op_type == 'Conv')
    others = {
        made.get(name) for node in graph.node if node.op_type == 'MatMul' for name in node.input
    }
    assert set(inputs) == {'DequantizeLinear'} != {first}
    assert 'DequantizeLinear' not in others

    image = torch.from_numpy(np.ascontiguousarray(other_image().transpose(2, 0, 1)))
    quantised, file = OnnxModel(path.parent / 'int8.onnx'), OnnxModel(path)
    assert quantised.metadata.items() >= file.metadata.items()
    found, expected = (torch.from_numpy(each.run(image)['dets'][0]) for each in (quantised, file))
    overlap = bbox_overlaps(found[:10, :4], expected[:, :4]).max(dim=1).values
    assert overlap.mean() > 0.8


def test_the_docs_list_what_is_tried():
    """The table of families names the stock config of each family that a test exports."""
    guide = (Path(__file__).parents[2] / 'docs' / 'deploy.md').read_text()
    rows = re.findall(r'^\| ([^|]+?)(?:, [^|]*)? \| `([\w-]+)`[^|]* \|.* \|$', guide, re.MULTILINE)
    by_hand = {'ATSS', 'DeepLabV3+'}  # much like RetinaNet and PSPNet
    tried = {*SHORT, *SMALL, 'FCOS3D', 'PGD', 'SMOKE', *by_hand}
    assert {family: Path(STOCK[family][1]).stem for family in tried} == dict(rows)
