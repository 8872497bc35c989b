"""tools/train.py and tools/test.py, from training over resuming to evaluation."""

import json
import pickle
import runpy
import sys

import pytest
import torch

import lzu_mm.engine.stock_tools  # noqa: F401 - reads checkpoints of mmengine
from lzu_mm.saliency import save_saliency

from .launching import ROOT, call, succeed

RETINANET = 'configs/retinanet/lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py'
PSPNET = 'configs/pspnet/lzu-fixed_pspnet_r18-d8_mini-street-128x128.py'
FCOS3D = 'configs/fcos3d/lzu-fixed_fcos3d_r18_fpn_mini-street-0.25x.py'

# Two iterations an epoch, and little to evaluate.
SHORT = [
    'train_dataloader.batch_size=2',
    'train_dataloader.dataset.indices=4',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'default_hooks.logger.interval=1',
]
RETINANET_SHORT = [
    *SHORT,
    'val_dataloader.dataset.indices=2',
    'test_dataloader.dataset.indices=2',
    'default_hooks.checkpoint.max_keep_ckpts=-1',
    'model.test_cfg.score_thr=0.0',
]


@pytest.fixture(scope='module')
def data(mini_street, tmp_path_factory):
    """The mini-street data, with saliency maps that are high in a band across the middle."""
    root = tmp_path_factory.mktemp('data')
    for task in ('argoverse_hd', 'cityscapes', 'nuscenes'):
        (root / task).symlink_to(mini_street.resolve() / task)
        band = torch.ones(31, 51)
        band[12:20] = 5
        save_saliency(root / 'saliency' / f'{task}.npz', band, {})
    return root


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A work directory with one epoch of two iterations."""
    work_dir = tmp_path_factory.mktemp('retinanet')
    options = [*RETINANET_SHORT, 'train_cfg.max_epochs=1']
    succeed(
        'train.py', RETINANET, '--work-dir', work_dir, '--cfg-options', *options,
        mini_street=data,
    )  # fmt: skip
    return work_dir


def scalars(work_dir):
    """What the latest run logged during training."""
    log = max(work_dir.glob('*/vis_data/scalars.json'))
    return [line for line in map(json.loads, log.read_text().splitlines()) if 'loss' in line]


def test_training_logs_and_saves(trained):
    assert (trained / 'epoch_1.pth').is_file()
    assert [line['step'] for line in scalars(trained)] == [1, 2]


def test_second_training_does_not_overwrite_the_first(trained, data):
    before = (trained / 'epoch_1.pth').stat().st_mtime_ns
    process = call('train.py', RETINANET, '--work-dir', trained, mini_street=data)
    assert process.returncode == 2
    assert 'epoch_1.pth' in process.stdout
    assert '--resume' in process.stdout
    assert (trained / 'epoch_1.pth').stat().st_mtime_ns == before


def test_resume_goes_on_where_training_stopped(trained, data, tmp_path):
    (tmp_path / 'last_checkpoint').write_text(str(trained / 'epoch_1.pth'))
    options = [*RETINANET_SHORT, 'train_cfg.max_epochs=2']
    succeed(
        'train.py', RETINANET, '--work-dir', tmp_path, '--resume', '--cfg-options', *options,
        mini_street=data,
    )  # fmt: skip

    assert [line['step'] for line in scalars(tmp_path)] == [3, 4]
    checkpoint = torch.load(tmp_path / 'epoch_2.pth')
    assert checkpoint['meta']['epoch'] == 2
    assert checkpoint['meta']['iter'] == 4
    # AdamW counts its steps: the state of the optimizer was resumed too.
    assert {int(state['step']) for state in checkpoint['optimizer']['state'].values()} == {4}


def test_resume_where_nothing_is_to_go_on_from_starts_from_load_from(trained, data, tmp_path):
    options = [*RETINANET_SHORT, 'train_cfg.max_epochs=1', 'optim_wrapper.optimizer.lr=0']
    start = trained / 'epoch_1.pth'
    succeed(
        'train.py', RETINANET, '--work-dir', tmp_path, '--resume', '--cfg-options', *options,
        f'load_from={start}',
        mini_street=data,
    )  # fmt: skip
    assert [line['step'] for line in scalars(tmp_path)] == [1, 2]
    before, after = (
        torch.load(path)['state_dict']['backbone.layer1.0.conv1.weight']
        for path in (start, tmp_path / 'epoch_1.pth')
    )
    assert torch.equal(before, after)


def test_amp_on_a_cpu_resuming_a_given_checkpoint(trained, data, tmp_path):
    options = [*RETINANET_SHORT, 'train_cfg.max_epochs=2', 'auto_scale_lr.base_batch_size=8']
    output = succeed(
        'train.py', RETINANET, '--work-dir', tmp_path, '--amp', '--auto-scale-lr',
        '--resume', trained / 'epoch_1.pth', '--cfg-options', *options,
        mini_street=data, CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    assert "type='lzu_mm.BFloat16OptimWrapper'" in output
    assert 'Scaling the original LR by 0.25' in output
    assert [line['step'] for line in scalars(tmp_path)] == [3, 4]
    assert all(0 < line['loss'] < 100 for line in scalars(tmp_path))


def test_test_evaluates_writes_and_draws(trained, data, tmp_path):
    out, pictures = tmp_path / 'new' / 'predictions.pkl', tmp_path / 'pictures'
    succeed(
        'test.py', RETINANET, trained / 'epoch_1.pth', '--work-dir', tmp_path,
        '--out', out, '--show-dir', pictures, '--cfg-options', *RETINANET_SHORT,
        mini_street=data,
    )  # fmt: skip

    (metrics,) = tmp_path.glob('*/*.json')
    assert 0 <= json.loads(metrics.read_text())['coco/bbox_mAP'] <= 1
    predictions = pickle.loads(out.read_bytes())
    assert len(predictions) == 2
    for prediction in predictions:
        boxes = prediction['pred_instances']['bboxes']
        height, width = prediction['ori_shape']
        assert len(boxes) > 0
        # In the frame of the original image, not in that of the zoomed one, a quarter as large.
        assert boxes.max() > max(height, width) / 2
        assert boxes.min() >= 0
        assert (boxes[:, 2] <= width + 1e-2).all()
        assert (boxes[:, 3] <= height + 1e-2).all()
        assert 'gt_instances' not in prediction
    assert len(list(pictures.iterdir())) == 2


def test_tta_merges_flipped_views(trained, data, tmp_path):
    out = tmp_path / 'predictions.pkl'
    succeed(
        'test.py', RETINANET, trained / 'epoch_1.pth', '--work-dir', tmp_path, '--tta',
        '--out', out, '--cfg-options', *RETINANET_SHORT,
        mini_street=data,
    )  # fmt: skip
    predictions = pickle.loads(out.read_bytes())
    assert len(predictions) == 2
    assert all(len(prediction['pred_instances']['bboxes']) > 0 for prediction in predictions)


def test_segmentation_writes_label_maps(data, tmp_path):
    options = [*SHORT, 'train_cfg.max_iters=1', 'default_hooks.checkpoint.interval=1']
    options += ['train_cfg.val_begin=2', 'test_dataloader.dataset.indices=2']
    work_dir, out, pictures = (tmp_path / name for name in ('work', 'labels', 'pictures'))
    common = ['--work-dir', work_dir, '--cfg-options', *options]
    succeed('train.py', PSPNET, *common, mini_street=data)
    output = succeed(
        'test.py', PSPNET, work_dir / 'iter_1.pth', '--out', out, '--show-dir', pictures, *common,
        mini_street=data,
    )  # fmt: skip
    assert 'mIoU' in output
    assert len(list(out.glob('*.png'))) == 2
    assert len(list(pictures.rglob('*.png'))) == 2


def test_mono_3d_detection(data, tmp_path):
    options = [*SHORT, 'train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1']
    options += [
        'train_cfg.val_begin=2',
        'model.test_cfg.score_thr=0.0',
        'model.test_cfg.max_per_img=3',
    ]
    work_dir, out, pictures = (tmp_path / name for name in ('work', 'boxes.pkl', 'pictures'))
    common = ['--work-dir', work_dir, '--cfg-options', *options]
    succeed('train.py', FCOS3D, *common, mini_street=data)
    output = succeed(
        'test.py', FCOS3D, work_dir / 'epoch_1.pth', '--out', out, '--show-dir', pictures,
        '--score-thr', 0, '--task', 'mono_det', *common,
        mini_street=data,
    )  # fmt: skip
    assert 'NDS' in output
    predictions = pickle.loads(out.read_bytes())
    assert 'bboxes_3d' in predictions[0]['pred_instances_3d']
    assert len(list(pictures.iterdir())) == len(predictions)
    output = succeed(
        'test.py', FCOS3D, work_dir / 'epoch_1.pth', '--show-dir', tmp_path / 'none',
        '--score-thr', 1, *common,
        mini_street=data,
    )  # fmt: skip
    assert f'no pictures in {tmp_path / "none"}' in output
    assert 'above 1.0. Lower --score-thr' in output


STOCK = """
default_scope = 'mmdet'
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
"""


@pytest.mark.parametrize(
    ('tool', 'arguments', 'config', 'message'),
    [
        ('train', ['--resume', 'none.pth'], STOCK, 'no checkpoint at none.pth'),
        ('train', ['--auto-scale-lr'], STOCK, 'base_batch_size'),
        ('train', ['--amp'], STOCK.replace("'OptimWrapper'", "'Other'"), "'Other'"),
        ('train', [], 'model = dict()', 'default_scope'),
        ('test', ['none.pth'], STOCK, 'no checkpoint at none.pth'),
        ('test', ['{config}', '--show-dir', 'x'], STOCK, 'default_hooks.visualization'),
        ('test', ['{config}', '--out', 'x.json'], STOCK, 'must end in .pkl'),
        ('test', ['{config}', '--out', '{config}'], STOCK, 'exists'),
        ('test', ['{config}', '--fps', '30'], STOCK, 'are for --streaming'),
        ('test', ['{config}', '--streaming'], STOCK, 'needs --fps'),
        (
            'test',
            ['{config}', '--streaming', '--fps', '30'],
            STOCK + "test_evaluator = dict(type='LVISMetric')",
            "no CocoMetric: .'LVISMetric'",
        ),
        ('test', ['{config}', '--tta'], STOCK.replace('mmdet', 'mmdet3d'), 'tta_model'),
    ],
)
def test_bad_settings_are_named(tool, arguments, config, message, tmp_path, monkeypatch):
    path = tmp_path / 'config.py'
    path.write_text(config)
    arguments = [argument.format(config=path) for argument in arguments]
    monkeypatch.setattr(sys, 'argv', ['x', str(path), *arguments, '--work-dir', str(tmp_path)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(SystemExit, match=message):
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')


def test_missing_config_is_named():
    process = call('train.py', 'configs/none.py')
    assert process.returncode == 2
    assert 'error: no config at configs/none.py' in process.stdout
    assert 'Traceback' not in process.stdout
