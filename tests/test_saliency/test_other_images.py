"""Images of other channels and values than 3 and 0 to 255, through stock pipelines."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from lzu_mm.visualization import draw_zoom, record_zoom

from ..models import STOCK, build, stock_config, zoomed_config

SIZE = (96, 160)
LEARNED = dict(type='lzu_mm.LearnedSaliency', grid_shape=(5, 8), input_size=(32, 48))
KINDS = {
    'gray': ('retinanet', 1, np.uint8, dict(channels=1)),
    'gray of 16 bits': ('retinanet', 1, np.uint16, dict(channels=1, value_range=(0, 65535))),
    'four bands': ('pspnet', 4, np.uint8, dict(channels=4)),
    'four bands of 16 bits': ('pspnet', 4, np.uint16, dict(channels=4, value_range=(0, 65535))),
}


def written(tmp_path, channels, dtype):
    """A file with a random image, and its pixels (H, W, C)."""
    white = np.iinfo(dtype).max
    image = np.random.default_rng(0).random((*SIZE, channels)) * white
    image = image.astype(dtype)
    cv2.imwrite(str(tmp_path / 'image.png'), image.squeeze())
    return tmp_path / 'image.png', image


def item(path, family):
    """What the stock pipeline hands over, for training."""
    init_default_scope(STOCK[family][0])
    load = dict(type='LoadImageFromFile', color_type='unchanged')
    resize = dict(type='Resize', scale=(SIZE[1], SIZE[0]), keep_ratio=True)
    if family == 'retinanet':
        annotations = dict(type='LoadAnnotations', with_bbox=True)
        flip, pack = dict(type='RandomFlip', prob=1.0), dict(type='PackDetInputs')
        box = dict(bbox=[20, 30, 60, 70], bbox_label=1, ignore_flag=0)
        labels = dict(instances=[box])
    else:
        load['imdecode_backend'] = 'cv2'
        annotations, pack = dict(type='LoadAnnotations'), dict(type='PackSegInputs')
        flip = dict(type='RandomFlip', prob=1.0)
        cv2.imwrite(str(path.parent / 'labels.png'), np.ones(SIZE, np.uint8))
        labels = dict(
            seg_map_path=str(path.parent / 'labels.png'), reduce_zero_label=False, seg_fields=[]
        )
    pipeline = Compose([load, annotations, resize, flip, pack])
    return pipeline(dict(img_path=str(path), img_id=0, **labels))


def model(family, channels, dtype, settings):
    config = stock_config(family)
    white = float(np.iinfo(dtype).max)
    config.backbone.in_channels = channels
    config.data_preprocessor.update(
        mean=[0.4 * white] * channels, std=[0.25 * white] * channels, bgr_to_rgb=False
    )
    zoom = dict(scale=0.5, saliency={**LEARNED, **settings})
    return build(dict(zoomed_config(config, family, zoom), _scope_=STOCK[family][0]))


@pytest.mark.parametrize('kind', KINDS)
def test_models_train_predict_and_are_drawn(kind, tmp_path):
    family, channels, dtype, settings = KINDS[kind]
    path, image = written(tmp_path, channels, dtype)
    module = model(family, channels, dtype, settings).train()
    one = item(path, family)
    data = pseudo_collate([copy.deepcopy(one) for _ in range(2)])
    losses = module(**module.data_preprocessor(copy.deepcopy(data), True), mode='loss')
    loss, _ = module.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()
    assert module.data_preprocessor.saliency.head.weight.grad.abs().max() > 0
    module.eval().test_step(copy.deepcopy(data))

    record = record_zoom(module.data_preprocessor, one, training=True)
    shown = image[:, ::-1, :3] if channels > 1 else image[:, ::-1].repeat(3, 2)
    low, high = (0, 255) if dtype == np.uint8 else (image.min(), image.max())
    expected = (shown.astype(float) - low) / (int(high) - int(low)) * 255
    assert np.abs(record.source - expected).max() <= 0.51
    # What the network sees is what one sees: the source, half as large.
    assert np.abs(record.zoomed.astype(float) - record.uniform).max() <= 2
    draw_zoom(record, [[255, 0, 0]] * 20, 200)


@pytest.mark.parametrize('kind', KINDS)
def test_saliency_sees_black_and_white_alike(kind):
    _, channels, dtype, settings = KINDS[kind]
    family = KINDS[kind][0]
    saliency = model(family, channels, dtype, settings).data_preprocessor.saliency
    white = torch.full((channels, *SIZE), float(np.iinfo(dtype).max))
    assert torch.equal(saliency._shrink(white), torch.ones(1, channels, 32, 48))
    assert torch.equal(saliency._shrink(0 * white), -torch.ones(1, channels, 32, 48))


@pytest.mark.parametrize(
    ('kind', 'without', 'remedy'),
    [
        ('gray', 'channels', r'zoom\.saliency\.channels=1'),
        ('gray of 16 bits', 'value_range', r'zoom\.saliency\.value_range.*\(0, 65535\)'),
        ('four bands', 'channels', r'zoom\.saliency\.channels=4'),
        ('four bands of 16 bits', 'value_range', r'zoom\.saliency\.value_range'),
    ],
)
def test_what_the_preprocessor_contradicts_is_refused_when_the_model_is_built(
    kind, without, remedy
):
    family, channels, dtype, settings = KINDS[kind]
    settings = {key: value for key, value in settings.items() if key != without}
    with pytest.raises(ValueError, match=remedy):
        model(family, channels, dtype, settings)


@pytest.mark.parametrize(
    ('image', 'remedy'),
    [
        (torch.zeros(1, *SIZE, dtype=torch.uint8), r'a\.png has 1: set zoom\.saliency\.channels=1'),
        (torch.rand(3, *SIZE), r'a\.png has values .*value_range'),
        (torch.rand(3, *SIZE) * 4095, r'a\.png has values .*value_range'),
    ],
)
def test_what_only_images_tell_is_refused_with_their_name(image, remedy):
    from mmdet.structures import DetDataSample

    saliency = model('retinanet', 3, np.uint8, {}).data_preprocessor.saliency
    with pytest.raises(ValueError, match=remedy):
        saliency([image], [DetDataSample(metainfo=dict(img_path='a.png'))], True)
    # Colour jitter goes a little beyond white.
    saliency([torch.rand(3, *SIZE) * 400 - 40], None, True)


def test_images_between_0_and_1_are_known_by_their_mean():
    config = stock_config('retinanet')
    config.data_preprocessor.update(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    zoom = dict(scale=0.5, saliency=LEARNED)
    with pytest.raises(ValueError, match=r'value_range.*such as \(0, 1\)'):
        build(dict(zoomed_config(config, 'retinanet', zoom), _scope_='mmdet'))
    zoom['saliency'] = dict(LEARNED, value_range=(0, 1))
    build(dict(zoomed_config(config, 'retinanet', zoom), _scope_='mmdet'))
