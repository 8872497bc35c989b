"""tools/zoomify.py: what it writes for stock models of the three libraries, and that it trains."""

import re
import runpy
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS, MODELS, init_default_scope

import lzu_mm.engine.stock_tools  # noqa: F401 - reads checkpoints of mmengine
from lzu_mm.datasets import SequenceSampler

from ..models import batch, losses
from .launching import ROOT, succeed

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
DYHEAD = 'mmdet::dyhead/atss_r50_fpn_dyhead_1x_coco.py'
PSPNET = 'mmseg::pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-769x769.py'
FCOS3D = 'mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py'
MINI_STREET = ROOT / 'configs/retinanet/retinanet_r18_fpn_mini-street.py'
HALF = ['--scale', '0.5', '--saliency', 'horizon:0.45']


def zoomify(base, out, *options):
    """The config that the tool writes, as loaded, and what the tool prints."""
    printed = succeed('zoomify.py', base, *options, '-o', out)
    return Config.fromfile(out), printed


def build(cfg):
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model)


def stock_keys(base):
    cfg = Config.fromstring(f'_base_ = {base!r}', '.py')
    return list(build(cfg).state_dict())


def test_retinanet_is_written_as_by_hand(tmp_path):
    options = ['--scale', '0.5', '--saliency', 'fixed:data/saliency/mine.npz']
    _, printed = zoomify(RETINANET, tmp_path / 'lzu.py', *options)
    source = (tmp_path / 'lzu.py').read_text()
    code = [line for line in source.splitlines() if line and not line.startswith('#')]
    assert (
        code
        == """\
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)
model = dict(
    data_preprocessor=dict(
        type='lzu_mm.ZoomDetDataPreprocessor',
        zoom=dict(
            scale=0.5, saliency=dict(type='lzu_mm.FixedSaliency', path='data/saliency/mine.npz')
        ),
    ),
    neck=dict(type='lzu_mm.UnzoomNeck', inner='FPN'),
)""".splitlines()
    )
    assert f'lzu-mm compute-saliency {tmp_path / "lzu.py"}' in printed


def test_the_written_retinanet_learns_and_looks_like_the_stock_one(tmp_path):
    cfg, _ = zoomify(RETINANET, tmp_path / 'lzu.py', *HALF)
    model = build(cfg)
    assert list(model.state_dict()) == stock_keys(RETINANET)
    assert model.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        [123.675, 116.28, 103.53]
    )
    data = batch('retinanet', [(128, 192)])
    found = losses(model, data)
    assert all(torch.isfinite(loss).all() for loss in found.values())
    assert model.neck.link.batch.content == [(64, 96)]
    assert model.neck.link.batch.warp is not None


def test_necks_in_a_row(tmp_path):
    cfg, _ = zoomify(DYHEAD, tmp_path / 'lzu.py', *HALF)
    assert 'inner=_base_.model.neck' in (tmp_path / 'lzu.py').read_text()
    assert [neck.type for neck in cfg.model.neck.inner] == ['FPN', 'DyHead']
    assert list(build(cfg).state_dict()) == stock_keys(DYHEAD)


def test_segmentation_neither_crops_nor_slides(tmp_path):
    options = ['--size', '256', '512', '--saliency', 'learned']
    cfg, _ = zoomify(PSPNET, tmp_path / 'lzu.py', *options)
    assert cfg.model.test_cfg == dict(mode='whole')
    assert cfg.model.neck == dict(type='lzu_mm.UnzoomNeck')
    types = [transform.type for transform in cfg.train_dataloader.dataset.pipeline]
    assert types == [
        'LoadImageFromFile',
        'LoadAnnotations',
        'Resize',
        'RandomFlip',
        'PhotoMetricDistortion',
        'PackSegInputs',
    ]
    assert cfg.train_pipeline == cfg.train_dataloader.dataset.pipeline
    for preprocessor in (cfg.data_preprocessor, cfg.model.data_preprocessor):
        assert preprocessor.type == 'lzu_mm.ZoomSegDataPreProcessor'
        assert preprocessor.zoom == dict(
            size=(256, 512), saliency=dict(type='lzu_mm.LearnedSaliency')
        )
    comments = (tmp_path / 'lzu.py').read_text()
    assert 'RandomCrop' in comments
    assert 'Slide inference' in comments


def test_at_full_scale_batches_are_not_padded_to_the_crops(tmp_path):
    cfg, _ = zoomify(PSPNET, tmp_path / 'lzu.py', '--scale', '1', '--saliency', 'uniform')
    for preprocessor in (cfg.data_preprocessor, cfg.model.data_preprocessor):
        assert (preprocessor['size'], preprocessor.size_divisor) == (None, 1)


def test_yolox_keeps_what_its_hook_asks_for_and_loses_what_mixes(tmp_path):
    cfg, _ = zoomify('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', tmp_path / 'lzu.py', *HALF)
    dataset = cfg.train_dataloader.dataset
    assert dataset.type == 'MultiImageMixDataset'
    types = [transform.type for transform in dataset.pipeline]
    assert types == [
        'YOLOXHSVRandomAug',
        'RandomFlip',
        'Resize',
        'Pad',
        'FilterAnnotations',
        'PackDetInputs',
    ]
    comments = (tmp_path / 'lzu.py').read_text()
    assert '# Whole images are zoomed: no Mosaic, no RandomAffine.' in comments


def test_mono_3d_detection(tmp_path):
    cfg, _ = zoomify(FCOS3D, tmp_path / 'lzu.py', *HALF)
    assert cfg.model.data_preprocessor.type == 'lzu_mm.ZoomDet3DDataPreprocessor'
    assert cfg.model.neck.inner == 'mmdet.FPN'
    assert list(build(cfg).state_dict()) == stock_keys(FCOS3D)


class Frames(list):
    """As much of a dataset as the sampler reads."""

    def get_data_info(self, index):
        return self[index]


def test_temporal_saliency_is_tested_on_videos(tmp_path):
    cfg, _ = zoomify(RETINANET, tmp_path / 'lzu.py', '--scale', '0.5', '--saliency', 'temporal')
    frames = Frames([dict(video_id=video) for video in (3, 3, 5)])
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.batch_size == 1
        sampler = DATA_SAMPLERS.build(loader.sampler, default_args=dict(dataset=frames))
        assert isinstance(sampler, SequenceSampler)
        assert loader.dataset.pipeline == cfg.test_pipeline
        keys = loader.dataset.pipeline[-1].meta_keys
        assert {'video_id', 'frame_id', 'scale_factor', 'ori_shape'} <= set(keys)


EPOCH = ['train_cfg.max_epochs=1', 'train_cfg.val_begin=2', 'default_hooks.checkpoint.interval=1']
ITERATIONS = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=3',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.checkpoint.save_best=None',
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('base', 'length', 'name'),
    [
        ('retinanet/retinanet_r18_fpn_mini-street.py', EPOCH, 'epoch_1.pth'),
        ('pspnet/pspnet_r18-d8_mini-street.py', ITERATIONS, 'iter_2.pth'),
        ('fcos3d/fcos3d_r18_fpn_mini-street.py', EPOCH, 'epoch_1.pth'),
    ],
)
def test_the_written_config_trains(base, length, name, tmp_path, mini_street):
    base = ROOT / 'configs' / base
    out, saliency = tmp_path / 'folder' / 'lzu.py', tmp_path / 'made.npz'
    options = ['--scale', '0.25', '--saliency', f'fixed:{saliency}']
    cfg, printed = zoomify(base, out, *options)
    assert 'custom_imports' not in out.read_text()  # as inherited
    assert cfg.custom_imports.imports == ['lzu_mm']
    # What it says comes next.
    assert f'lzu-mm compute-saliency {out}' in printed
    succeed('compute_saliency.py', out, mini_street=mini_street)
    assert saliency.is_file()
    assert 'compute-saliency' not in zoomify(base, out, *options, '--overwrite')[1]
    succeed(
        'train.py', out, '--work-dir', tmp_path / 'work', '--cfg-options',
        'train_dataloader.batch_size=2', 'train_dataloader.dataset.indices=4',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        *length, mini_street=mini_street,
    )  # fmt: skip
    checkpoint = torch.load(tmp_path / 'work' / name)
    assert checkpoint['meta']['iter'] == 2


def fail(base, out, *options):
    """The message with which the tool ends, in this process."""
    argv = ['zoomify.py', str(base), *map(str, options), '-o', str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', argv)
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / 'tools' / 'zoomify.py'), run_name='__main__')
    return str(end.value)


CONFIG = """
default_scope = 'mmdet'
model = dict(type='RetinaNet', data_preprocessor=dict(type='DetDataPreprocessor'))
"""
POOLED = """
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
model = dict(neck=dict(_delete_=True, type='GlobalAveragePooling'))
"""
PIXELS = "_base_ = 'mmseg::san/san-vit-b16_coco-stuff164k-640x640.py'"
LIDAR = "_base_ = 'mmdet3d::pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-car.py'"


@pytest.mark.parametrize(
    ('config', 'options', 'message'),
    [
        (CONFIG, ['--scale', '0', *HALF[2:]], r'zoom\.scale'),
        (CONFIG, ['--scale', '4.5', *HALF[2:]], r'zoom\.scale'),
        (CONFIG, ['--size', '0', '9', *HALF[2:]], r'zoom\.size'),
        (CONFIG.replace('DetData', 'BoxInstData'), HALF, 'take another model'),
        (CONFIG.replace('DetData', 'MyData'), HALF, 'no supported preprocessor'),
        (CONFIG.replace('model =', 'net ='), HALF, 'no model'),
        (CONFIG.replace('RetinaNet', 'NoSuchNet'), HALF, 'NoSuchNet'),
        (CONFIG, ['--scale', '1', '--saliency', 'horizon:450'], r'saliency\.row'),
        (POOLED, HALF, 'GlobalAveragePooling'),
        (LIDAR, HALF, 'take a monocular detector'),
        (PIXELS, HALF, 'SAN.* reads the pixels of the image again'),
        (f'_base_ = {FCOS3D!r}', ['--scale', '1', '--saliency', 'temporal'], 'temporal saliency'),
    ],
)
def test_what_cannot_be_zoomed_is_named_and_nothing_written(tmp_path, config, options, message):
    (tmp_path / 'base.py').write_text(config)
    end = fail(tmp_path / 'base.py', tmp_path / 'out.py', *options)
    assert end.startswith('error: ')
    assert re.search(message, end), end
    assert [path.name for path in tmp_path.iterdir()] == ['base.py']


@pytest.mark.parametrize('saliency', ['fixed', 'fixed:', 'fixed:a.pkl', 'horizon:', 'nowhere'])
def test_bad_saliency_is_named(tmp_path, saliency, capsys):
    fail(RETINANET, tmp_path / 'out.py', '--scale', '0.5', '--saliency', saliency)
    assert saliency in capsys.readouterr().err


def test_files_are_kept(tmp_path):
    out, base = tmp_path / 'out.py', tmp_path / 'base.py'
    out.write_text('mine = 1')
    base.write_text(f'_base_ = {RETINANET!r}')
    assert '--overwrite' in fail(RETINANET, out, *HALF)
    assert 'base config itself' in fail(base, base, *HALF, '--overwrite')
    assert 'ends in .py' in fail(base, tmp_path / 'out.yaml', *HALF)
    assert 'no config at none.py' in fail('none.py', tmp_path / 'new.py', *HALF)
    assert out.read_text() == 'mine = 1'
    zoomify(base, out, *HALF, '--overwrite')
    assert "_base_ = './base.py'" in out.read_text()
