import math

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement

from lzu_mm.saliency.estimation.horizon import horizon_row, horizon_saliency
from lzu_mm.warps import saliency_to_warp

IMAGES = [torch.zeros(3, 80, 120)]


def build(**settings):
    return MODELS.build(dict(type='lzu_mm.HorizonSaliency', **settings))


def look(module, **metainfo):
    samples = [BaseDataElement(metainfo=metainfo)] if metainfo else None
    return module(IMAGES, samples, False)[0, 0]


def test_values_by_hand():
    # Cell centres of four rows lie at 1/8, 3/8, 5/8, 7/8; a row at 3/8 is a cell's centre.
    found = horizon_saliency(3 / 8, (4, 2), falloff_below=1 / 4, falloff_above=1 / 8, floor=0.2)
    rows = torch.tensor([math.exp(-2), 1, math.exp(-1), math.exp(-2)])
    expected = 0.8 * rows / rows.sum() / 2 + 0.2 / 8
    torch.testing.assert_close(found, expected[:, None].expand(4, 2))


def test_values_by_hand_around_a_vanishing_point():
    found = horizon_saliency(
        0.5, (2, 2), falloff_below=1, falloff_above=1, column=0.25, falloff_sides=0.5, floor=0
    )
    near = 1 / (1 + math.exp(-1))  # the left column holds the vanishing point
    torch.testing.assert_close(found, torch.tensor([[near, 1 - near]] * 2) / 2)


@pytest.mark.parametrize('settings', [dict(row=0.1), dict(row=0.44, column=0.7, floor=0)])
def test_maps_sum_to_one_and_peak_at_the_horizon(settings):
    saliency = look(build(**settings))
    assert saliency.shape == (31, 51)
    assert saliency.dtype == torch.float32
    assert saliency.sum() == pytest.approx(1, abs=1e-5)
    peak = divmod(int(saliency.argmax()), 51)
    assert peak[0] == int(settings['row'] * 31)
    assert 'column' not in settings or peak[1] == int(settings['column'] * 51)


def test_a_floor_of_one_is_uniform():
    torch.testing.assert_close(look(build(row=0.3, floor=1)), torch.full((31, 51), 1 / (31 * 51)))


def test_the_row_of_a_camera():
    # Looking down by 45 degrees moves the horizon up by one focal length.
    assert horizon_row(45, 0.3, 0.5) == pytest.approx(0.2)
    assert horizon_row(0, 2.0, 0.55) == 0.55
    assert horizon_row(-10, 1.0, 0.5) > 0.5
    assert torch.equal(look(build(pitch=45, focal=0.3)), look(build(row=horizon_row(45, 0.3, 0.5))))


def test_the_row_from_the_intrinsics_of_each_sample():
    module = build(pitch=45)
    cam2img = [[32.0, 0, 60], [0, 16.0, 48], [0, 0, 1]]
    expected = look(build(row=(48 - 16) / 80))
    found = look(module, cam2img=cam2img)
    torch.testing.assert_close(found, expected)
    flipped = look(module, cam2img=cam2img, flip=True, flip_direction='vertical')
    torch.testing.assert_close(flipped, expected.flip(0))
    assert module.shared(IMAGES, [BaseDataElement(metainfo=dict(cam2img=cam2img))]) is None
    for samples in (None, [BaseDataElement()]):
        with pytest.raises(ValueError, match=r'cam2img.*saliency\.focal'):
            module(IMAGES, samples, False)


@pytest.mark.parametrize(
    ('direction', 'moved'),
    [('horizontal', dict(row=0.3)), ('vertical', dict(row=0.7)), ('diagonal', dict(row=0.7))],
)
def test_the_horizon_follows_flips(direction, moved):
    # Alike above and below, a flipped map is that of a flipped horizon.
    alike = dict(falloff_below=0.2, falloff_above=0.2)
    flip = dict(flip=True, flip_direction=direction)
    torch.testing.assert_close(look(build(row=0.3, **alike), **flip), look(build(**moved, **alike)))
    column = 0.8 if direction == 'vertical' else 0.2
    torch.testing.assert_close(
        look(build(row=0.3, column=0.8, **alike), **flip),
        look(build(**moved, column=column, **alike)),
    )


def test_one_warp_serves_all_images_and_crops_are_refused():
    module = build(row=0.4)
    whole = BaseDataElement(metainfo=dict(ori_shape=(80, 120), img_shape=(80, 120)))
    saliency, flips = module.shared(IMAGES * 2, [whole, None])
    assert saliency is module.map
    assert flips == ()
    assert 'map' not in module.state_dict()
    crop = BaseDataElement(metainfo=dict(ori_shape=(120, 120), img_path='7.png'))
    with pytest.raises(ValueError, match=r'HorizonSaliency looks at whole.*7\.png.*RandomCrop'):
        module.shared(IMAGES, [crop])


@pytest.mark.parametrize('row', [0.3, 0.5, 0.6])
def test_the_horizon_is_magnified(row):
    warp = saliency_to_warp(look(build(row=row))[None, None])
    points = torch.tensor([[[0.5, row - 0.01], [0.5, row + 0.01], [0.5, 0.97], [0.5, 0.99]]])
    y = warp.to_zoomed(points)[0, :, 1]
    assert (y[1] - y[0]) / 0.02 > 1.5
    assert (y[3] - y[2]) / 0.02 < 1


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(), r'saliency\.row, or saliency\.pitch'),
        (dict(row=0.5, pitch=0), r'saliency\.row, or saliency\.pitch'),
        (dict(row=0.5, focal=1), r'saliency\.row, or saliency\.pitch'),
        (dict(row=600), r'saliency\.row .*not in pixels'),
        (dict(row=0), r'saliency\.row'),
        (dict(pitch=90), r'saliency\.pitch'),
        (dict(pitch=1, focal=0), r'saliency\.focal'),
        (dict(pitch=30, focal=1), r'pitch=30.*outside'),
        (dict(row=0.5, column=1), r'saliency\.column'),
        (dict(row=0.5, floor=1.1), r'saliency\.floor'),
        (dict(row=0.5, falloff_below=0), r'saliency\.falloff_below'),
        (dict(row=0.5, falloff_above=-1), r'saliency\.falloff_above'),
        (dict(row=0.5, falloff_sides=math.inf), r'saliency\.falloff_sides'),
        (dict(row=0.5, grid_shape=(1, 9)), r'saliency\.grid_shape'),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)
