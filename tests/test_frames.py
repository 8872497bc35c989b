"""Where the images of stock pipelines show their originals."""

import numpy as np
import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import MODELS

from lzu_mm.frames import source_frames

PACK = dict(type='mmdet.PackDetInputs')
WITH_HOMOGRAPHY = dict(PACK, meta_keys=('ori_shape', 'img_shape', 'homography_matrix', 'flip'))


@pytest.fixture(scope='module', autouse=True)
def _registered():
    register_all_modules(init_default_scope=True)


def stock_test_pipeline(name):
    config = Config.fromstring(f"_base_=['mmdet::{name}']", '.py')
    return [t for t in config.test_pipeline[1:] if t.type != 'LoadAnnotations']


def resize(w, h, keep_ratio=True):
    return dict(type='mmdet.Resize', scale=(w, h), keep_ratio=keep_ratio)


FLIP = dict(type='mmdet.RandomFlip', prob=1.0)
CROP = dict(type='mmdet.RandomCrop', crop_size=(160, 120))
SQUARE = dict(type='mmdet.Pad', pad_to_square=True, pad_val=dict(img=(114, 114, 114)))


def load(transforms, h=240, w=320, **load_args):
    """A batch of one, as the pipeline hands it over, of an image of noise."""
    image = np.random.default_rng(0).integers(0, 200, (h, w, 3), np.uint8)
    data = Compose([dict(type='mmdet.LoadImageFromNDArray', **load_args), *transforms])(
        dict(img=image, img_id=0)
    )
    data['data_samples'].set_metainfo(dict(img_path='street/7.png'))
    return dict(inputs=[data['inputs']], data_samples=[data['data_samples']])


def frame_of(transforms, h=240, w=320, **load_args):
    batch = load(transforms, h, w, **load_args)
    return source_frames(batch['inputs'], batch['data_samples'])[0]


@pytest.mark.parametrize(
    ('transforms', 'content', 'scale'),
    [
        ([PACK], (240, 320), (1, 1)),
        ([resize(160, 120), PACK], (120, 160), (0.5, 0.5)),
        ([resize(101, 101), PACK], (76, 101), (101 / 320, 76 / 240)),
        ([resize(160, 160, False), PACK], (160, 160), (0.5, 2 / 3)),
        # Letterboxes of RTMDet and YOLOX, and one that is resized afterwards.
        ([resize(160, 160), SQUARE, PACK], (120, 160), (0.5, 0.5)),
        ([SQUARE, resize(160, 160), PACK], (120, 160), (0.5, 0.5)),
        ([resize(160, 120), dict(SQUARE, pad_to_square=False, size_divisor=32), PACK],
         (120, 160), (0.5, 0.5)),
        ([dict(type='mmdet.FixShapeResize', width=200, height=100, keep_ratio=True), PACK],
         (100, 133), (100 / 240, 100 / 240)),
        # Resized twice, as DETR's pipelines do; mmcv notes the second scale_factor alone.
        ([resize(160, 120), resize(240, 180), PACK], (180, 240), (0.75, 0.75)),
        ([resize(640, 480), resize(480, 360), PACK], (360, 480), (1.5, 1.5)),
        ([resize(80, 160, False), resize(200, 60, False), WITH_HOMOGRAPHY],
         (60, 200), (200 / 320, 60 / 240)),
        # A resize that notes no scale_factor.
        ([dict(type='mmseg.ResizeToMultiple', size_divisor=80), PACK], (240, 320), (1, 1)),
    ],
)  # fmt: skip
def test_content_and_scale(transforms, content, scale):
    frame = frame_of(transforms)
    assert not frame.unknown
    assert frame.content == content
    assert frame.scale == pytest.approx(scale, rel=1e-5)
    assert frame.original == pytest.approx((240, 320), rel=0.01)


@pytest.mark.parametrize(
    ('transforms', 'message'),
    [
        ([CROP, PACK], None),
        ([dict(CROP, crop_size=(100, 120)), PACK], 'crop'),
        ([resize(640, 480), dict(CROP, crop_size=(400, 200)), PACK], 'crop'),
        # Of the same aspect as the original: the homography tells.
        ([CROP, WITH_HOMOGRAPHY], 'crop'),
        ([CROP, resize(320, 240), WITH_HOMOGRAPHY], 'crop'),
        ([resize(160, 160), SQUARE, dict(FLIP, direction='vertical'), PACK], 'flipped after Pad'),
        (
            [resize(160, 160), SQUARE, dict(FLIP, direction='vertical'), WITH_HOMOGRAPHY],
            'flipped after Pad',
        ),
        ([dict(type='mmseg.ResizeToMultiple', size_divisor=144), PACK], 'notes no scale_factor'),
        ([dict(type='mmdet.Rotate', prob=1.0, min_mag=20.0), WITH_HOMOGRAPHY], 'rotated'),
    ],
)
def test_what_is_unknown_is_said(transforms, message):
    frame = frame_of(transforms)
    if message is None:
        # Nothing tells a crop of the same aspect from a second resize, but the doubt is noted.
        assert 'crop of the same aspect' in frame.doubt
        return
    assert message in frame.unknown
    with pytest.raises(ValueError, match=r'Fixed looks at whole images.*street/7\.png.*RandomCrop'):
        frame.known('Fixed')


@pytest.mark.parametrize('pack', [PACK, WITH_HOMOGRAPHY])
def test_flips_before_the_padding(pack):
    frame = frame_of([resize(160, 160), FLIP, SQUARE, pack])
    assert frame.content == (120, 160)
    assert frame.flipped == (-1,)


def looks_at(preprocessor, axis):
    """Where the zoom is strongest: a share of the content."""
    points = torch.full((1, 641, 2), 0.5)
    points[0, :, axis] = torch.linspace(0, 1, 641)
    zoomed = preprocessor.link.batch.warp.to_zoomed(points)[0, :, axis]
    return (zoomed.diff().argmax().item() + 0.5) / 640


def zooming(saliency, kind='Det', **zoom):
    zoom = dict(scale=0.5, saliency=saliency, **zoom)
    return MODELS.build(dict(type=f'lzu_mm.Zoom{kind}DataPreprocessor', zoom=zoom))


HORIZON = dict(type='lzu_mm.HorizonSaliency', row=0.25)


def magnified_row(batch, preprocessor):
    """The source row around which the zoomed image shows fewest rows."""
    h, w = batch['inputs'][0].shape[1:]
    rows = torch.arange(h, dtype=torch.float32)[None, :, None].expand(3, -1, w).clone()
    h, w = source_frames(batch['inputs'], batch['data_samples'])[0].content
    rows[:, h:] = rows[:, :, w:] = 255  # as the padding has it, one colour
    zoomed = preprocessor(dict(batch, inputs=[rows]))['inputs'][0, 0, : h // 2 - 1, 0]
    return zoomed[zoomed.diff().argmin()].item()


@pytest.mark.parametrize(
    'name', ['rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 'yolox/yolox_s_8xb8-300e_coco.py']
)
def test_a_letterboxed_image_is_magnified_at_the_horizon(name):
    pipeline = stock_test_pipeline(name)
    preprocessor = zooming(HORIZON)
    row = magnified_row(load(pipeline, 270, 480), preprocessor)
    assert preprocessor.link.batch.content[0] == (180, 320)
    without = [t for t in pipeline if t.type != 'Pad']
    assert row == pytest.approx(magnified_row(load(without, 270, 480), preprocessor), abs=0.1)
    assert looks_at(preprocessor, 1) == pytest.approx(row / 360, abs=0.01)
