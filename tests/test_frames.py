"""Where the images of stock pipelines show their originals."""

import copy
import warnings

import numpy as np
import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import MODELS
from mmengine.structures import InstanceData

from lzu_mm.frames import source_frames
from lzu_mm.saliency.estimation.kde import box_saliency

from .models import come_home

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
    """Where the zoom is strongest: a share of the source, its padding included."""
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
    assert looks_at(preprocessor, 1) == pytest.approx(row / 640, abs=0.01)
    without = [t for t in pipeline if t.type != 'Pad']
    assert row == pytest.approx(magnified_row(load(without, 270, 480), preprocessor), abs=0.1)
    assert looks_at(preprocessor, 1) == pytest.approx(row / 360, abs=0.01)


def test_boxes_return_through_the_warp_of_a_letterboxed_image():
    """With labels='warped', what a head finds at a mark of the zoomed image is its own box."""
    batch = load([resize(160, 160), SQUARE, PACK])
    preprocessor = zooming(HORIZON, labels='warped')
    sample = preprocessor(batch)['data_samples'][0]
    box = torch.tensor([[40.0, 30.0, 200.0, 150.0]])  # of the original
    corners = (box.reshape(1, 2, 2) / torch.tensor([320.0, 240.0])).float()
    warp = preprocessor.link.batch.content_warp
    zoomed = warp.to_zoomed(corners)[0] * torch.tensor([80.0, 60.0])
    found = zoomed.reshape(1, 4) / torch.tensor(sample.scale_factor * 2)  # as heads rescale
    sample.pred_instances = InstanceData(bboxes=found, scores=torch.ones(1))
    (sample,) = come_home(preprocessor, [sample])
    torch.testing.assert_close(sample.pred_instances.bboxes, box, atol=0.05, rtol=0)


def test_doubts_are_warned_of_once():
    batch = load([resize(160, 120), resize(240, 180), PACK])
    preprocessor = zooming(HORIZON)
    with pytest.warns(UserWarning, match='crop of the same aspect.*homography_matrix'):
        preprocessor(batch)
    unnoted = dict(PACK, meta_keys=('ori_shape', 'img_shape', 'scale_factor'))
    with pytest.warns(UserWarning, match='flip.*meta_keys'):
        zooming(HORIZON)(load([FLIP, unnoted]), True)


class Runner:
    """Builds a model as mmengine's runner does, from arguments of these names."""

    def __init__(self, train_dataloader, custom_hooks=None, saliency=HORIZON):
        self.model = zooming(saliency)


def loader(*transforms):
    mixed = dict(type='MultiImageMixDataset', dataset=dict(type='CocoDataset', pipeline=[]))
    return dict(batch_size=2, dataset=dict(mixed, pipeline=list(transforms)))


def test_the_pipelines_of_a_runner_are_read():
    same_aspect = dict(type='RandomCrop', crop_size=(512, 1024))
    branch = dict(type='RandomChoice', transforms=[[same_aspect], [resize(8, 8)]])
    for transform, name in [
        (branch, 'RandomCrop'),
        (dict(type='Mosaic'), 'Mosaic'),
        (dict(type='mmdet.RandomAffine'), 'RandomAffine'),
    ]:
        with pytest.raises(ValueError, match=f'train_dataloader has {name}.*zoomify'):
            Runner(loader(transform, PACK))
        Runner(loader(transform, PACK), saliency=dict(type='lzu_mm.UniformSaliency'))
    with pytest.raises(ValueError, match='custom_hooks has RandomCrop'):
        Runner(loader(PACK), [dict(type='PipelineSwitchHook', switch_pipeline=[same_aspect])])
    unnoted = dict(PACK, meta_keys=('ori_shape', 'img_shape', 'flip'))
    Runner(loader(FLIP, unnoted))
    with pytest.raises(ValueError, match=r'flip_direction.*meta_keys'):
        Runner(loader(dict(FLIP, direction=['horizontal', 'vertical']), unnoted))
    preprocessor = Runner(loader(resize(160, 120), resize(240, 180), PACK)).model
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        preprocessor.link.claimed = True
        preprocessor(load([resize(160, 120), resize(240, 180), PACK]))


def test_two_frames_of_a_video_in_a_test_batch_are_refused_and_views_remember_apart():
    preprocessor = zooming(dict(type='lzu_mm.TemporalSaliency'))
    one, other = load([resize(160, 120), PACK]), load([resize(240, 180), PACK])
    two = {key: one[key] + copy.deepcopy(one[key]) for key in one}
    with pytest.raises(ValueError, match=r'test_dataloader\.batch_size=1'):
        preprocessor(two)
    found = InstanceData(bboxes=torch.tensor([[30.0, 30, 60, 90]]), scores=torch.ones(1))
    sample = preprocessor(copy.deepcopy(one))['data_samples'][0]
    sample.pred_instances = found
    for view, moves in ((other, False), (one, True)):
        preprocessor(copy.deepcopy(view))
        saliency = preprocessor.link.batch.saliency[0, 0]
        assert (saliency.max() > 1.5 * saliency.min()) == moves
    kept = preprocessor.saliency.memory
    assert all(last.sample is None for frames in kept._last.values() for last in frames)


def test_boxes_to_train_on_count_in_pixels_of_the_original():
    boxes = torch.tensor([[10.0, 20, 40, 60]])
    shown = []
    for size in (320, 160):
        batch = load([resize(size, size), SQUARE, PACK])
        scaled = boxes * size / 320
        batch['data_samples'][0].gt_instances = InstanceData(bboxes=scaled, labels=torch.zeros(1))
        preprocessor = zooming(dict(type='lzu_mm.TemporalSaliency', jitter=0, drop_prob=0))
        preprocessor(batch, True)
        shown.append(preprocessor.link.batch.saliency)
    torch.testing.assert_close(*shown)
    torch.testing.assert_close(shown[0][0, 0], box_saliency(boxes, (240, 320)))
