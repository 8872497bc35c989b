"""The zoom itself: settings, warps, flips, and what the parent does with the small image."""

import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.models import BatchFixedSizePad
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner.amp import autocast

from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.warps import saliency_to_warp, zoom_image

from ..models import UNIFORM, batch


@pytest.fixture
def saliency_file(tmp_path):
    saliency = np.full((9, 12), 0.2, dtype=np.float32)
    saliency[2:4, 8:10] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return str(tmp_path / 'map.npy')


def build(zoom, **kwargs):
    return MODELS.build(dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom, **kwargs))


def fixed(path):
    return dict(type='lzu_mm.FixedSaliency', path=path)


@pytest.mark.parametrize('separable', [True, False])
@pytest.mark.parametrize('anti_crop', [True, False])
@pytest.mark.parametrize('align_corners', [True, False])
def test_zoomed_image_is_the_warp_of_the_saliency(
    saliency_file, separable, anti_crop, align_corners
):
    options = dict(attraction_fwhm=4, separable=separable, anti_crop=anti_crop)
    module = build(
        dict(size=(31, 45), saliency=fixed(saliency_file), align_corners=align_corners, **options),
        mean=[10, 20, 30],
        std=[2, 2, 2],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    )
    data = batch('retinanet', [(60, 90)])
    output = module(data)['inputs']
    warp = saliency_to_warp(torch.from_numpy(np.load(saliency_file))[None, None], **options)
    image = data['inputs'][0][None].float()
    grid = warp.zoom_grid((31, 45), align_corners)
    zoomed = F.grid_sample(image, grid, padding_mode='border', align_corners=align_corners)
    expected = (zoomed[:, [2, 1, 0]] - torch.tensor([10, 20, 30])[:, None, None]) / 2
    assert output.shape == (1, 3, 32, 64)
    torch.testing.assert_close(output[:, :, :31, :45], expected, rtol=0, atol=1e-3)
    assert (output[:, :, 31:] == 0).all()
    assert (output[..., 45:] == 0).all()
    assert module.link.batch.canvas == (32, 64)
    assert module.link.batch.content == [(31, 45)]


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_a_fixed_map_follows_the_flip(saliency_file, direction):
    module = build(dict(size=(32, 48), saliency=fixed(saliency_file), attraction_fwhm=4))
    dims = {'horizontal': [-1], 'vertical': [-2], 'diagonal': [-2, -1]}[direction]
    data = batch('retinanet', [(60, 90), (60, 90)])
    data['inputs'][1] = data['inputs'][0].flip(dims)
    data['data_samples'][1].set_metainfo(dict(flip=True, flip_direction=direction))
    plain, flipped = module(data)['inputs']
    torch.testing.assert_close(flipped, plain.flip(dims), rtol=0, atol=0.05)
    assert (plain - plain.flip(dims)).abs().max() > 10


def test_one_warp_of_a_fixed_map_serves_all_batches(saliency_file, monkeypatch):
    module = build(dict(size=(32, 48), saliency=fixed(saliency_file), attraction_fwhm=4))
    data = batch('retinanet', [(60, 90), (80, 100)])
    expected = module(data)['inputs']
    warp = module.link.batch.warp
    with monkeypatch.context() as patch:
        patch.setattr('lzu_mm.data_preprocessors.saliency_warp.saliency_to_warp', None)
        assert torch.equal(module(data)['inputs'], expected)
        copied = copy.deepcopy(module)
        assert torch.equal(copied(data)['inputs'], expected)
    assert module.link.batch.warp is warp
    # Another map, as after `module.saliency = …` or a move to another device, is another warp.
    module.saliency.map = module.saliency.map.flip(-1)
    assert (module(data)['inputs'] - expected).abs().max() > 10


def test_antialiasing_is_passed_on(saliency_file):
    zoom = dict(size=(16, 24), saliency=fixed(saliency_file), attraction_fwhm=4)
    data = batch('retinanet', [(120, 180)])
    module = build(dict(zoom, antialias=True))
    zoomed = module(data)['inputs'][0]
    expected = zoom_image(data['inputs'][0], module.link.batch.warp, (16, 24), antialias=True)
    assert torch.equal(zoomed, expected)
    assert not torch.allclose(zoomed, build(zoom)(data)['inputs'][0], atol=1)


def test_training_alone_is_zoomed_as_often_as_wanted(saliency_file):
    zoom = dict(size=(32, 48), saliency=fixed(saliency_file), train_prob=0.25, train_only=True)
    module, data = build(zoom), batch('retinanet', [(60, 90)])
    uniform = build(dict(size=(32, 48), saliency=UNIFORM))
    torch.manual_seed(0)
    zoomed = []
    for _ in range(200):
        output = module(data, True)
        assert (module.link.batch.warp is None) == torch.equal(
            output['inputs'], uniform(data, True)['inputs']
        )
        zoomed.append(module.link.batch.warp is not None)
    assert 0.15 < sum(zoomed) / len(zoomed) < 0.35
    assert torch.equal(module(data)['inputs'], uniform(data)['inputs'])
    always = build(dict(zoom, train_prob=1))
    assert all(always(data, True) and always.link.batch.warp is not None for _ in range(5))


def test_geometry_keeps_single_precision_under_autocast(saliency_file):
    module = build(dict(size=(32, 48), saliency=fixed(saliency_file)))
    data = batch('retinanet', [(60, 90)])
    exact = module(data)['inputs']
    with autocast(device_type='cpu', dtype=torch.bfloat16):
        cast = module(data)['inputs']
    assert torch.equal(cast, exact)


def test_a_crop_is_refused(saliency_file):
    module = build(dict(scale=0.5, saliency=fixed(saliency_file)))
    data = batch('retinanet', [(60, 90)])
    data['data_samples'][0].set_metainfo(dict(ori_shape=(120, 200), scale_factor=(1.0, 1.0)))
    with pytest.raises(ValueError, match=r'RandomCrop.*train_pipeline'):
        module(data, True)
    data['data_samples'][0].set_metainfo(dict(ori_shape=(120, 180), scale_factor=(0.5, 0.5)))
    module(data, True)
    build(dict(scale=0.5, saliency=UNIFORM))(data, True)


def random_resize(low, high):
    return dict(
        type='mmdet.BatchSyncRandomResize',
        random_size_range=(low, high),
        size_divisor=32,
        interval=10,
    )


def test_batch_augments_follow_the_scale():
    pad = dict(type='mmdet.BatchFixedSizePad', size=(640, 1280))
    module = build(dict(scale=0.5, saliency=UNIFORM), batch_augments=[random_resize(512, 768), pad])
    resize, pad = module.batch_augments
    assert resize._random_size_range == (256 / 32, 384 / 32)
    assert pad.size == (320, 640)


@pytest.mark.parametrize('kind', ['mmdet.BatchFixedSizePad', BatchFixedSizePad])
def test_a_fixed_padding_holds_what_the_divisor_makes_of_the_batch(kind):
    pad = dict(type=kind, size=(100, 120), pad_mask=False)
    module = build(dict(scale=0.5, saliency=UNIFORM), batch_augments=[pad], pad_size_divisor=32)
    output = module(batch('retinanet', [(100, 120), (80, 120)]), True)
    assert output['inputs'].shape[-2:] == (64, 64)
    assert module.batch_augments[0].size == (64, 64)


def test_batch_augments_that_undo_a_size_are_refused():
    with pytest.raises(ValueError, match='batch_augments'):
        build(dict(size=(64, 64), saliency=UNIFORM), batch_augments=[random_resize(512, 768)])


def test_a_batch_resized_after_the_zoom_keeps_its_link_true(saliency_file):
    MessageHub.get_current_instance().update_info('iter', 0)
    module = build(
        dict(scale=0.5, saliency=fixed(saliency_file)), batch_augments=[random_resize(64, 64)]
    )
    module.batch_augments[0]._input_size = (60, 120)
    output = module(batch('retinanet', [(60, 60), (40, 60)]), True)
    assert output['inputs'].shape[-2:] == (60, 120)
    assert module.link.batch.canvas == (60, 120)
    assert module.link.batch.content == [(60, 120), (40, 120)]


@pytest.mark.parametrize('factor', [0.5, np.float32(0.5), (0.5, 0.5), np.full(4, 0.5)])
def test_scale_factors_of_all_libraries_are_read(saliency_file, factor):
    module = build(dict(scale=0.5, saliency=fixed(saliency_file)))
    data = batch('retinanet', [(60, 90)])
    data['data_samples'][0].set_metainfo(dict(ori_shape=(120, 180), scale_factor=factor))
    sample = module(data, True)['data_samples'][0]
    assert sample.scale_factor == pytest.approx((0.25, 0.25))
    data['data_samples'][0].set_metainfo(dict(ori_shape=(240, 180)))
    with pytest.raises(ValueError, match='crop'):
        module(data, True)


def test_plain_lz_warns_once(saliency_file):
    module = build(dict(scale=0.5, saliency=fixed(saliency_file)))
    data = batch('retinanet', [(60, 90)])
    with pytest.warns(UserWarning, match='UnzoomNeck'):
        module(data)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        module(data)


def test_nothing_enters_the_state_dict(saliency_file):
    assert not build(dict(scale=0.5, saliency=fixed(saliency_file))).state_dict()


@pytest.mark.parametrize(
    ('zoom', 'message'),
    [
        (None, 'needs zoom'),
        (dict(scale=0.5), 'needs zoom'),
        (dict(saliency=UNIFORM), r'zoom\.scale=None, zoom\.size=None'),
        (dict(saliency=UNIFORM, scale=1, size=(4, 4)), 'takes scale'),
        (dict(saliency=UNIFORM, scale=0), r'zoom\.scale'),
        (dict(saliency=UNIFORM, scale=5), r'zoom\.scale'),
        (dict(saliency=UNIFORM, size=(4,)), r'zoom\.size'),
        (dict(saliency=UNIFORM, size=(0, 4)), r'zoom\.size'),
        (dict(saliency=UNIFORM, scale=1, antialias=True, separable=False), r'zoom\.antialias'),
        (dict(saliency=UNIFORM, scale=1, antialias=True, align_corners=True), r'zoom\.antialias'),
        (
            dict(saliency=UNIFORM, scale=1, labels='warped', align_corners=True),
            'align_corners=False',
        ),
        (dict(saliency=UNIFORM, scale=1, train_prob=1.5), r'zoom\.train_prob'),
        (dict(saliency=UNIFORM, scale=1, fwhm=4), r"no setting \['fwhm'\]"),
    ],
)
def test_bad_settings_are_named(zoom, message):
    with pytest.raises(ValueError, match=message):
        build(zoom)


@pytest.mark.parametrize('name', ['MultimodalEncoderDecoder', 'BoxInst', 'ImVoxelNet'])
def test_models_that_would_go_wrong_are_refused_when_built(name):
    stock = type(name, (BaseModel,), dict(forward=None))
    derived = type('Mine', (stock,), dict(forward=None))
    zoom = dict(scale=0.5, saliency=UNIFORM)
    preprocessor = dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom)
    with pytest.raises(ValueError, match=r'Mine cannot be zoomed: .* image'):
        derived(data_preprocessor=preprocessor)


def test_a_missing_saliency_file_names_the_setting(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'saliency\.path'):
        build(dict(scale=0.5, saliency=fixed(str(tmp_path / 'none.npz'))))


def test_output_size_rounds_like_a_resize():
    settings = ZoomSettings(saliency=UNIFORM, scale=0.25)
    assert settings.output_size((1201, 1918)) == (300, 480)
    assert settings.output_size((1, 1)) == (1, 1)


def test_auto_size_keeps_the_pixels_and_the_aspect_of_objects(tmp_path):
    saliency = np.full((31, 51), 0.02, dtype=np.float32)
    saliency[12:17] = 1
    np.save(tmp_path / 'band.npy', saliency)
    zoom = dict(scale=0.5, method='equalise', saliency=fixed(str(tmp_path / 'band.npy')))
    module = build(dict(zoom, size='auto'))
    h, w = module(batch('retinanet', [(400, 600)]))['inputs'].shape[2:]
    assert h * w == pytest.approx(200 * 300, rel=0.02)
    # A band in y and nothing in x: the mean log magnification over the map is that of the rows.
    share = saliency.sum(axis=1) / saliency.sum()
    magnification = np.exp((share * np.log(0.9 * 31 * share + 0.1)).sum())
    assert magnification > 3
    assert (h / 200) / (w / 300) == pytest.approx(1 / magnification, rel=0.01)


@pytest.mark.parametrize(
    ('zoom', 'words'),
    [
        (dict(size='auto'), 'scale with size='),
        (dict(scale=0.5, size=(3, 4)), 'scale with size='),
        (
            dict(scale=0.5, size='auto', saliency=dict(type='lzu_mm.LearnedSaliency')),
            'same for all',
        ),
        (dict(scale=0.5, size='wide'), 'scale with size='),
        (dict(scale=0.5, method='equalize'), 'zoom.method'),
        (dict(scale=0.5, uniform_share=0.3), "method='equalise'"),
        (dict(scale=0.5, method='equalise', uniform_share=0), 'zoom.uniform_share'),
        (dict(scale=0.5, method='equalise', attraction_fwhm=4), 'attraction_fwhm'),
        (dict(scale=0.5, method='equalise', separable=False), 'zoom.separable'),
    ],
)
def test_settings_of_ours_that_contradict_each_other_are_refused(zoom, words):
    with pytest.raises(ValueError, match=words):
        build({'saliency': UNIFORM, **zoom})


def test_equalising_saliency_reaches_the_image(saliency_file):
    zoom = dict(scale=0.5, method='equalise', uniform_share=0.3, saliency=fixed(saliency_file))
    data = batch('retinanet', [(60, 90)])
    output = build(zoom)(data)['inputs']
    saliency = torch.from_numpy(np.load(saliency_file))[None, None]
    warp = saliency_to_warp(saliency, method='equalise', uniform_share=0.3)
    expected = zoom_image(data['inputs'][0], warp, (30, 45))
    torch.testing.assert_close(output[0], expected, rtol=0, atol=1e-3)
