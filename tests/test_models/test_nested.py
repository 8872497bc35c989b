"""Detectors inside other models: linked with the preprocessor that runs, or refused when built."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox_project
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from mmengine.utils import get_installed_path

from lzu_mm.warps import unzoom_feature

from ..models import batch, scoped
from .test_families import offline

SIZE = (96, 128)
RESNET = dict(type='ResNet', depth=18, norm_cfg=dict(type='BN'))
FPN = dict(in_channels=[64, 128, 256, 512])


@pytest.fixture
def zoom(tmp_path):
    saliency = np.full((15, 25), 0.2, dtype=np.float32)
    saliency[5:8, 16:20] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return dict(
        type='lzu_mm.ZoomDetDataPreprocessor',
        zoom=dict(
            scale=0.5, saliency=dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))
        ),
    )


def stock(name):
    scoped('mmdet')
    path = Path(get_installed_path('mmdet')) / '.mim' / 'configs' / name
    return ConfigDict(offline(Config.fromfile(path).model.to_dict()))


def unzoomed(neck):
    return ConfigDict({**neck, 'type': 'lzu_mm.UnzoomNeck', 'inner': neck['type']})


def build(config):
    return MODELS.build(dict(config, _scope_='mmdet'))


@pytest.fixture
def distillation(zoom):
    """LD with a teacher at a testable size, both with stock necks."""
    model = stock('ld/ld_r18-gflv1-r101_fpn_1x_coco.py')
    teacher = stock('gfl/gfl_r50_fpn_1x_coco.py')
    teacher.backbone, teacher.neck = ConfigDict(RESNET), ConfigDict(teacher.neck, **FPN)
    model.update(teacher_ckpt=None, teacher_config=dict(model=teacher))
    model.data_preprocessor.update(zoom)
    return model


def spy(module, name):
    """What a method gives, call by call."""
    found, method = [], getattr(module, name)

    def spied(*args, **kwargs):
        found.append(method(*args, **kwargs))
        return found[-1]

    setattr(module, name, spied)
    return found


def step(model):
    model.train()
    outputs = model(**model.data_preprocessor(batch('retinanet', [SIZE] * 2), True), mode='loss')
    loss, _ = model.parse_losses(outputs)
    assert loss.isfinite()


def test_a_teacher_is_unzoomed_with_its_student(distillation):
    distillation.neck = unzoomed(distillation.neck)
    teacher = distillation.teacher_config.model
    teacher.neck = unzoomed(teacher.neck)
    model = build(distillation)
    assert model.teacher_model.neck.link is model.data_preprocessor.link
    seen, outer = spy(model.teacher_model.neck.inner, 'forward'), []
    model.teacher_model.bbox_head.register_forward_pre_hook(lambda _, args: outer.append(args[0]))
    step(model)
    link = model.data_preprocessor.link.batch
    for zoomed, level in zip(seen[0], outer[0]):
        expected = unzoom_feature(zoomed, link.warp, link.content, link.canvas)
        assert torch.equal(level, expected)
    assert (seen[0][0] - outer[0][0]).abs().max() > 1e-3


@pytest.mark.parametrize('which', ['student', 'teacher'])
def test_a_teacher_in_another_frame_is_refused(distillation, which, tmp_path):
    holder = {'student': distillation, 'teacher': distillation.teacher_config.model}[which]
    holder.neck = unzoomed(holder.neck)
    with pytest.raises(ValueError, match=r"teacher_config's model\.neck"):
        build(distillation)
    # As in the stock config, it may be a file.
    Config(distillation.teacher_config.to_dict()).dump(tmp_path / 'teacher.py')
    distillation.teacher_config = str(tmp_path / 'teacher.py')
    with pytest.raises(ValueError, match=r"teacher_config's model\.neck"):
        build(distillation)


def test_lads_teacher_as_lds(zoom):
    config = stock('lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py')
    for prefix in ('', 'teacher_'):
        config[f'{prefix}backbone'] = ConfigDict(RESNET)
        config[f'{prefix}neck'].update(FPN)
    config.teacher_ckpt = None
    config.data_preprocessor.update(zoom)
    config.neck = unzoomed(config.neck)
    with pytest.raises(ValueError, match=r'LAD .*model\.teacher_neck'):
        build(config)
    config.teacher_neck = unzoomed(config.teacher_neck)
    model = build(config)
    assert model.teacher_model.neck.link is model.neck.link is model.data_preprocessor.link
    # Each neck knows the features of its own backbone.
    inputs = model.data_preprocessor(batch('retinanet', [SIZE]))['inputs']
    other = model.data_preprocessor(batch('retinanet', [SIZE], seed=1))['inputs']
    for holder in (model, model.teacher_model):
        features = holder.backbone(inputs)
        holder.backbone(other)
        assert model.neck.link.batch_of(features).canvas == (64, 64)
        assert model.neck.link.batch_of(features) is not model.neck.link.batch
        expected = holder.neck(features)
        assert (expected[0] - holder.neck.inner(features)[0]).abs().max() > 1e-3
    for one, level in zip(model.extract_teacher_feat(inputs), expected):
        assert torch.equal(one, level)


@pytest.fixture
def semi(zoom):
    model = stock('soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py')
    model.detector.backbone = ConfigDict(RESNET)
    model.detector.neck = unzoomed(ConfigDict(model.detector.neck, **FPN))
    model.detector.data_preprocessor.update(zoom)
    model.data_preprocessor.data_preprocessor.update(zoom)
    model.semi_train_cfg.update(
        pseudo_label_initial_score_thr=0.01, rpn_pseudo_thr=0.01, cls_pseudo_thr=0.01
    )
    return model


def branches():
    """Two labelled images and two unlabelled ones in two views, of different sizes."""
    inputs, samples = {}, {}
    for seed, (branch, size) in enumerate(
        dict(sup=SIZE, unsup_teacher=(128, 160), unsup_student=(64, 96)).items()
    ):
        data = batch('retinanet', [size] * 2, seed)
        for sample in data['data_samples']:
            ratio = np.array(size) / SIZE
            sample.set_metainfo(
                dict(
                    homography_matrix=np.diag([ratio[1], ratio[0], 1]).astype(np.float32),
                    ori_shape=SIZE,
                    scale_factor=(float(ratio[1]), float(ratio[0])),
                )
            )
        inputs[branch], samples[branch] = data['inputs'], data['data_samples']
    return dict(inputs=inputs, data_samples=samples)


def test_every_branch_of_a_semi_supervised_detector_has_its_warp(semi):
    model = build(semi)
    link = model.data_preprocessor.data_preprocessor.link
    assert model.student.neck.link is model.teacher.neck.link is link
    data = model.data_preprocessor(branches(), True)
    canvases = {'sup': (64, 64), 'unsup_teacher': (64, 96), 'unsup_student': (32, 64)}
    for branch in ('unsup_teacher', 'sup', 'unsup_student'):
        images = data['inputs'][branch]
        features = model.teacher.backbone(images)
        own = link.batch_of(features)
        assert own.canvas == canvases[branch]
        for level, zoomed in zip(model.teacher.neck(features), model.teacher.neck.inner(features)):
            expected = unzoom_feature(zoomed, own.warp, own.content, own.canvas)
            torch.testing.assert_close(level, expected)
    step_losses = model.train()(**model.data_preprocessor(branches(), True), mode='loss')
    assert {'sup_loss_cls', 'unsup_loss_cls'} <= set(step_losses)
    loss, _ = model.parse_losses(step_losses)
    loss.backward()
    sample = model.eval().test_step(batch('retinanet', [SIZE]))[0]
    assert sample.pred_instances.bboxes.isfinite().all()


def test_pseudo_labels_go_from_view_to_view(semi):
    """A box that the teacher finds where its view shows an object is where the student's does."""
    model = build(semi)
    data = model.data_preprocessor(branches(), True)['data_samples']
    original = torch.tensor([[16.0, 24, 96, 72]])
    boxes = {}
    for branch, ratio in dict(
        unsup_teacher=(160 / 128, 128 / 96), unsup_student=(0.75, 2 / 3)
    ).items():
        boxes[branch] = original * torch.tensor(ratio).repeat(2) * 0.5
    for sample in data['unsup_teacher']:
        sample.gt_instances = InstanceData(
            bboxes=bbox_project(
                boxes['unsup_teacher'], torch.from_numpy(sample.homography_matrix).inverse(), SIZE
            ),
            labels=torch.zeros(1, dtype=torch.long),
        )
        torch.testing.assert_close(sample.gt_instances.bboxes, original)
    projected = model.project_pseudo_instances(data['unsup_teacher'], data['unsup_student'])
    for sample in projected:
        torch.testing.assert_close(sample.gt_instances.bboxes, boxes['unsup_student'])


def test_a_zoom_that_would_never_run_is_refused(semi):
    outer = semi.data_preprocessor.data_preprocessor
    outer.pop('zoom')
    outer.type = 'DetDataPreprocessor'
    with pytest.raises(RuntimeError, match='SoftTeacher, which it is built into'):
        build(semi)


def test_pseudo_labels_of_the_zoomed_frame_are_refused(semi):
    semi.data_preprocessor.data_preprocessor.zoom.labels = 'warped'
    with pytest.raises(ValueError, match=r"SoftTeacher .*zoom\.labels='resized'"):
        build(semi)


def test_a_tracker_is_refused(zoom):
    config = stock(
        'bytetrack/bytetrack_yolox_x_8xb4-80e_crowdhuman-mot17halftrain_test-mot17halfval.py'
    )
    detector = config.detector
    detector.data_preprocessor = copy.deepcopy(zoom)
    with pytest.raises(RuntimeError, match=r'ByteTrack.*trackers'):
        build(config)
    detector.pop('data_preprocessor')
    detector.neck = unzoomed(detector.neck)
    with pytest.raises(RuntimeError, match='UnzoomNeck found no zoom data preprocessor'):
        build(config)
