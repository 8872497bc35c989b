"""tools/export_onnx.py, and that tools/test.py evaluates what it writes."""

import pickle
import runpy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from lzu_mm.saliency import save_saliency

from ..models import scoped
from .launching import ROOT, call, succeed

pytest.importorskip('onnx')
CONFIG = 'configs/retinanet/lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py'
OPTIONS = ['--cfg-options', 'test_dataloader.dataset.indices=2', 'test_dataloader.num_workers=0']
OPTIONS += ['test_dataloader.persistent_workers=False']


@pytest.fixture(scope='module')
def data(mini_street, tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    (root / 'argoverse_hd').symlink_to(mini_street.resolve() / 'argoverse_hd')
    band = torch.ones(31, 51)
    band[12:20] = 5
    save_saliency(root / 'saliency' / 'argoverse_hd.npz', band, {})
    return root


@pytest.fixture(scope='module')
def checkpoint(data, tmp_path_factory):
    """Weights that find something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MINI_STREET', str(data))
        cfg = Config.fromfile(ROOT / CONFIG)
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.bbox_head.retina_cls.weight.data *= 30
    model.bbox_head.retina_cls.bias.data.fill_(-2)
    path = tmp_path_factory.mktemp('weights') / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta={})), path)
    return path


def test_metrics_see_the_same_predictions(data, checkpoint, tmp_path):
    size = ['--size', '1200', '1920']
    file = tmp_path / 'end2end.onnx'
    printed = succeed('export_onnx.py', CONFIG, checkpoint, *size, '--out', file, mini_street=data)
    assert 'largest difference to test_step, boxes (px)' in printed
    found = []
    for name, tested in (('torch', checkpoint), ('onnx', file)):
        out = tmp_path / f'{name}.pkl'
        succeed(
            'test.py', CONFIG, tested, '--out', out, '--work-dir', tmp_path, *OPTIONS,
            mini_street=data,
        )  # fmt: skip
        found.append(pickle.loads(out.read_bytes()))
    for one, other in zip(*found):
        one, other = one['pred_instances'], other['pred_instances']
        assert len(one['scores']) > 10
        for key, tolerance in (('bboxes', 1e-2), ('scores', 1e-4), ('labels', 0)):
            torch.testing.assert_close(other[key], one[key], atol=tolerance, rtol=0)


def test_what_cannot_work_is_said_before_a_file_is_written(data, checkpoint, tmp_path):
    other = tmp_path / 'other.pth'
    weights = torch.load(checkpoint)
    weights['state_dict']['bbox_head.retina_cls.weight'] = torch.zeros(3, 3)
    torch.save(weights, other)
    file = tmp_path / 'end2end.onnx'
    size = ['--size', '1200', '1920', '--out', file]
    process = call('export_onnx.py', CONFIG, other, *size, mini_street=data)
    assert process.returncode == 2
    assert f'error: {other} is not of the model in {CONFIG}' in process.stdout
    other.write_bytes(checkpoint.read_bytes()[:100_000])
    process = call('export_onnx.py', CONFIG, other, *size, mini_street=data)
    last = process.stdout.splitlines()[-1]
    assert process.returncode == 2 and last.startswith(f'error: {other} cannot be read'), last
    process = call('export_onnx.py', CONFIG, checkpoint, *size[:-1], other, mini_street=data)
    assert f'error: --out {other} exists' in process.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ['other.pth']


def test_classes_of_checkpoints_that_name_none_are_those_of_the_dataset():
    dataset_meta = runpy.run_path(str(ROOT / 'tools' / 'export_onnx.py'))['dataset_meta']
    scoped('mmdet')
    cfg = Config.fromstring("_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'", '.py')
    assert dataset_meta(cfg, {})['classes'][:2] == ('person', 'bicycle')
    cfg.test_dataloader.dataset.metainfo = dict(classes=('sign',))
    assert dataset_meta(cfg, {})['classes'] == ('sign',)
    named = dict(meta=dict(dataset_meta=dict(CLASSES=('car',))))
    assert dataset_meta(cfg, named)['classes'] == ('car',)
