"""Pure Python configs of mmengine, with classes as types: zoomify, train and test."""

import pickle

import pytest
import torch
from mmengine.config import Config

import lzu_mm.engine.stock_tools  # noqa: F401 - reads checkpoints of mmengine
from lzu_mm.zoomify import settings_of

from .launching import call, succeed

BASE = """
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs, RandomCrop, RandomFlip, Resize
from mmdet.evaluation import CocoMetric
from mmdet.models import FPN, DetDataPreprocessor, ResNet, RetinaHead, RetinaNet
from mmdet.models.task_modules import (
    AnchorGenerator, DeltaXYWHBBoxCoder, MaxIoUAssigner, PseudoSampler)
from mmengine.dataset import DefaultSampler
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop
from torch.optim import SGD

from lzu_mm import ArgoverseHDDataset

default_scope = None
model = dict(
    type=RetinaNet,
    data_preprocessor=dict(
        type=DetDataPreprocessor, mean=[103.5, 116.3, 123.7], std=[57.4, 57.1, 58.4],
        pad_size_divisor=32),
    backbone=dict(type=ResNet, depth=18),
    neck=dict(type=FPN, in_channels=[64, 128, 256, 512], out_channels=32, num_outs=5),
    bbox_head=dict(
        type=RetinaHead, num_classes=8, in_channels=32, stacked_convs=1, feat_channels=32,
        anchor_generator=dict(
            type=AnchorGenerator, octave_base_scale=4, scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0], strides=[8, 16, 32, 64, 128]),
        bbox_coder=dict(type=DeltaXYWHBBoxCoder)),
    train_cfg=dict(
        assigner=dict(
            type=MaxIoUAssigner, pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0,
            ignore_iof_thr=-1),
        sampler=dict(type=PseudoSampler), allowed_border=-1, pos_weight=-1, debug=False),
    test_cfg=dict(
        nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=10))
train_pipeline = [
    dict(type=LoadImageFromFile), dict(type=LoadAnnotations, with_bbox=True),
    dict(type=RandomCrop, crop_size=(200, 300)),
    dict(type=Resize, scale=(480, 300), keep_ratio=True), dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs)]
test_pipeline = [
    dict(type=LoadImageFromFile), dict(type=Resize, scale=(480, 300), keep_ratio=True),
    dict(type=LoadAnnotations, with_bbox=True), dict(type=PackDetInputs)]
data_root = '{root}/argoverse_hd/'
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=ArgoverseHDDataset, data_root=data_root, indices=4, pipeline=train_pipeline,
        ann_file='Argoverse-HD/annotations/train.json',
        data_prefix=dict(img='Argoverse-1.1/tracking/')))
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ArgoverseHDDataset, data_root=data_root, indices=2, pipeline=test_pipeline,
        test_mode=True, ann_file='Argoverse-HD/annotations/val.json',
        data_prefix=dict(img='Argoverse-1.1/tracking/')))
test_evaluator = dict(
    type=CocoMetric, metric='bbox', ann_file=data_root + 'Argoverse-HD/annotations/val.json')
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=1)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.001))
"""


@pytest.fixture(scope='module')
def zoomed(mini_street, tmp_path_factory):
    """A pure Python config, and the one that zoomify has written beside it."""
    folder = tmp_path_factory.mktemp('pure')
    (folder / 'base.py').write_text(BASE.replace('{root}', str(mini_street.resolve())))
    arguments = ['--scale', 0.5, '--saliency', 'horizon:0.5', '-o', folder / 'zoomed' / 'lzu.py']
    succeed('zoomify.py', folder / 'base.py', *arguments)
    return folder / 'zoomed' / 'lzu.py'


def test_the_child_merges_into_what_it_imports(zoomed):
    source = zoomed.read_text()
    assert 'with read_base():\n    from ..base import *' in source
    assert 'no RandomCrop' in source
    child = settings_of(Config.fromfile(zoomed))
    base = settings_of(Config.fromfile(zoomed.parents[1] / 'base.py'))
    assert child['model']['neck'] == dict(
        base['model']['neck'], type='lzu_mm.UnzoomNeck', inner='mmdet.models.FPN'
    )
    kinds = [transform['type'] for transform in child['train_dataloader']['dataset']['pipeline']]
    assert kinds == [t['type'] for t in base['train_pipeline'] if 'Crop' not in t['type']]


@pytest.mark.parametrize('amp', [[], ['--amp']])
def test_it_trains_and_is_tested(zoomed, tmp_path, amp):
    work_dir, out = tmp_path / 'work', tmp_path / 'boxes.pkl'
    log = succeed('train.py', zoomed, '--work-dir', work_dir, *amp)
    assert ('BFloat16OptimWrapper' in log) is (bool(amp) and not torch.cuda.is_available())
    log = succeed(
        'test.py', zoomed, work_dir / 'epoch_1.pth', '--work-dir', tmp_path / 'test', '--out', out
    )
    assert 'bbox_mAP' in log
    boxes = pickle.loads(out.read_bytes())[0]['pred_instances']['bboxes']
    assert len(boxes) == 10
    assert torch.isfinite(boxes).all()


def test_a_name_that_no_module_can_have_is_refused(zoomed, tmp_path):
    base = tmp_path / 'base-1x.py'
    base.write_text((zoomed.parents[1] / 'base.py').read_text())
    arguments = ['--scale', 0.5, '--saliency', 'uniform', '-o', tmp_path / 'lzu.py']
    process = call('zoomify.py', base, *arguments)
    assert process.returncode == 2
    assert 'base-1x.py cannot be imported by its name: rename it' in process.stdout
