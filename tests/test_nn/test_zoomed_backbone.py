"""Zoom and unzoom around the backbone of any torch model."""

import copy
import pickle
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lzu_mm.nn import SaliencyNet, ZoomedBackbone, horizon_saliency, remove_zoom_, zoom_
from lzu_mm.warps import saliency_to_warp

LevelPair = namedtuple('LevelPair', ['fine', 'coarse'])


@dataclass
class Output:
    maps: tuple
    count: int


class Backbone(nn.Module):
    """Two levels of strides 4 and 8."""

    out_channels = 8

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)

    def forward(self, images):
        fine = self.norm(self.stem(images)).relu()
        return fine, self.down(fine)


class Places(nn.Module):
    """Features that say where in the zoomed image they were computed: its pixels, averaged."""

    def forward(self, images):
        return F.avg_pool2d(images, 4)


def strong(h=31, w=51):
    saliency = torch.full((h, w), 0.2)
    saliency[h // 3 : h // 2, w // 2 :] = 5
    return saliency


def coordinates(h, w):
    """An image whose first channels are x and y of each pixel, as shares."""
    y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing='ij')
    return torch.stack((x, y, torch.zeros_like(x)))[None]


def test_uniform_at_full_scale_is_the_backbone_to_the_bit():
    backbone, images = Backbone().eval(), torch.rand(2, 3, 64, 96)
    zoomed = ZoomedBackbone(backbone, 'uniform', scale=1)
    for own, expected in zip(zoomed(images), backbone(images)):
        assert torch.equal(own, expected)


def test_uniform_at_half_scale_is_the_backbone_on_a_resized_image():
    backbone, images = Backbone().eval(), torch.rand(2, 3, 64, 96)
    small = F.interpolate(images, (32, 48), mode='bilinear', align_corners=False)
    for own, expected in zip(ZoomedBackbone(backbone, 'uniform')(images), backbone(small)):
        torch.testing.assert_close(own, expected)


@pytest.mark.parametrize(
    'settings', [{}, dict(method='equalise'), dict(separable=False), dict(unzoom_antialias=True)]
)
@pytest.mark.parametrize('each', [False, True], ids=['one map', 'a map per image'])
def test_features_lie_where_the_image_has_them(settings, each):
    maps = torch.stack([strong(), strong().flip(1)])[:, None]
    saliency = (lambda images: maps) if each else strong()
    images = coordinates(256, 384).expand(2, -1, -1, -1)
    found = ZoomedBackbone(Places(), saliency, scale=0.5, **settings)(images)
    expected = F.avg_pool2d(images, 8)
    off = (found - expected).abs()[:, :2]
    # About a cell at most, where the zoom minifies, and hardly anything on average.
    assert off[:, 0].max() < 1.1 / 48
    assert off[:, 1].max() < 1.1 / 32
    assert off.mean() < 2e-3
    zoomed = saliency_to_warp(maps[:1]).to_source(torch.tensor([[[0.5, 0.5]]]))
    assert (zoomed - 0.5).abs().max() > 0.02


def test_each_image_has_its_own_map_as_if_alone():
    maps = torch.stack([strong(), strong().flip(1)])[:, None]
    backbone, images = Backbone().eval(), torch.rand(2, 3, 64, 96)
    for antialias in (False, True):
        both = ZoomedBackbone(backbone, lambda _: maps, antialias=antialias)(images)
        for i in range(2):
            alone = ZoomedBackbone(backbone, maps[i, 0], antialias=antialias)(images[i : i + 1])
            for one, own in zip(both, alone):
                torch.testing.assert_close(one[i : i + 1], own, atol=1e-5, rtol=1e-4)


def test_a_finer_frame_has_more_cells():
    backbone, images = Backbone(), torch.rand(1, 3, 64, 96)
    zoomed = ZoomedBackbone(backbone, strong(), frame=(2, 1))
    assert [tuple(level.shape[2:]) for level in zoomed(images)] == [(16, 12), (8, 6)]


CONTAINERS = {
    'tensor': lambda a, b: a,
    'list': lambda a, b: [a, b],
    'tuple': lambda a, b: (a, b),
    'named tuple': LevelPair,
    'dict': lambda a, b: {'0': a, 'n': 3, 'pool': b},
    'ordered dict': lambda a, b: OrderedDict(a=a, b=b),
    'dataclass': lambda a, b: Output((a, b), 2),
    'object': lambda a, b: SimpleNamespace(tensors=a, more=[b, None]),
    'nested': lambda a, b: [(a, torch.ones(1, 4, 4, dtype=torch.bool)), {'b': [b]}],
}


def maps_in(value):
    if isinstance(value, torch.Tensor):
        return [value] if value.dim() == 4 else []
    if hasattr(value, '__dict__') and not isinstance(value, (dict, tuple)):
        value = vars(value)
    items = value.values() if isinstance(value, dict) else value
    held = (list, tuple, dict, torch.Tensor)
    return [found for item in items if isinstance(item, held) for found in maps_in(item)]


@pytest.mark.parametrize('kind', CONTAINERS)
def test_all_maps_in_whatever_a_backbone_returns_are_unzoomed(kind):
    class Container(nn.Module):
        def forward(self, images):
            return CONTAINERS[kind](F.avg_pool2d(images, 4), F.avg_pool2d(images, 8))

    images = coordinates(128, 192)
    found = ZoomedBackbone(Container(), strong())(images)
    assert type(found) is type(CONTAINERS[kind](images, images))
    plain = ZoomedBackbone(Places(), strong())(images)
    torch.testing.assert_close(maps_in(found)[0], plain)
    if kind not in ('tensor',):
        assert (maps_in(found)[1] - F.avg_pool2d(images, 16)).abs().max() < 0.1


def test_images_are_found_by_position_and_by_name():
    class Named(nn.Module):
        def forward(self, mask, pixel_values=None):
            return F.avg_pool2d(pixel_values, 4)

    images, mask = coordinates(128, 192), torch.ones(1, 128, 192, dtype=torch.long)
    zoomed = ZoomedBackbone(Named(), strong())
    expected = ZoomedBackbone(Places(), strong())(images)
    assert torch.equal(zoomed(mask, images), expected)
    assert torch.equal(zoomed(mask, pixel_values=images), expected)
    with pytest.raises(TypeError, match='zoom the module that sees the images'):
        zoomed(mask)


@pytest.mark.parametrize('dtype', [torch.long, torch.bool, torch.float32])
@pytest.mark.parametrize('shape', [(2, 128, 192), (2, 1, 128, 192)])
def test_padding_is_refused_in_whatever_form_a_mask_has(dtype, shape):
    class Masked(nn.Module):
        def forward(self, images, mask):
            return F.avg_pool2d(images, 4)

    images, mask = coordinates(128, 192).expand(2, -1, -1, -1), torch.ones(shape, dtype=dtype)
    zoomed = ZoomedBackbone(Masked(), strong())
    zoomed(images, mask)
    zoomed(images, 0.3 * torch.rand(shape).round())  # depths, not a mask
    mask[1, ..., 150:] = 0
    with pytest.raises(ValueError, match='do_pad=False'):
        zoomed(images, mask)


@pytest.mark.parametrize('saliency', ['uniform', strong()])
@pytest.mark.parametrize(('size', 'channels'), [((96, 160), 96), ((100, 170), 24), ((64, 64), 48)])
def test_maps_with_their_channels_last_are_refused(saliency, size, channels):
    class Swin(nn.Module):
        def forward(self, images, last):
            levels = [F.avg_pool2d(images, 2**k, ceil_mode=True)[:, :1] for k in range(1, 6)]
            maps = [level.expand(-1, channels, -1, -1) for level in levels]
            return [level.permute(0, 2, 3, 1) for level in maps] if last else maps

    zoomed = ZoomedBackbone(Swin(), saliency)
    images = torch.rand(1, 3, *size)
    assert len(zoomed(images, False)) == 5
    with pytest.raises(ValueError, match='permute'):
        zoomed(images, True)


def test_tokens_are_refused_and_attentions_left_alone():
    class Tokens(nn.Module):
        def forward(self, images, also):
            maps = F.avg_pool2d(images, 4)
            return {**also(maps), 'last_hidden_state': maps.flatten(2).transpose(1, 2)}

    zoomed, images = ZoomedBackbone(Tokens(), strong()), torch.rand(1, 3, 64, 96)
    with pytest.raises(TypeError, match='tokens'):
        zoomed(images, lambda maps: {})
    attention = torch.rand(1, 2, 96, 96)
    found = zoomed(images, lambda maps: {'maps': maps, 'attentions': (attention,)})
    assert found['attentions'][0] is attention


def test_weights_keep_their_names_both_ways():
    backbone = Backbone()
    for saliency, own in ((strong(), []), (SaliencyNet(), ['saliency'])):
        zoomed = nn.Sequential(OrderedDict(body=ZoomedBackbone(Backbone(), saliency)))
        names = list(zoomed.state_dict())
        stock = [f'body.{name}' for name in backbone.state_dict()]
        assert [n for n in names if 'saliency' not in n] == stock
        assert bool([n for n in names if 'saliency' in n]) == bool(own)
        state = {
            **zoomed.state_dict(),
            **{f'body.{n}': v for n, v in backbone.state_dict().items()},
        }
        assert not any(zoomed.load_state_dict(state, strict=True))
        assert torch.equal(zoomed.body.backbone.stem.weight, backbone.stem.weight)
        assert zoomed.body.out_channels == 8
    with pytest.raises(AttributeError, match='nothing'):
        zoomed.body.nothing  # noqa: B018
    named = ZoomedBackbone(Backbone(), strong(), keep_names=False)
    assert 'backbone.stem.weight' in named.state_dict()


def test_a_zoom_is_put_on_and_taken_off_in_place():
    model = nn.Sequential(OrderedDict(backbone=Backbone())).eval()
    model.forward = model.backbone.forward  # not through it: the part itself is patched
    images, names = torch.rand(1, 3, 64, 96), list(model.state_dict())
    expected = model.backbone(images)
    zoom_(model, 'backbone', strong())
    assert list(model.state_dict()) == names
    assert isinstance(model.backbone, Backbone)
    wrapped = ZoomedBackbone(Backbone().eval(), strong())
    wrapped.load_state_dict(model.backbone.state_dict())
    for own, other in zip(model.backbone(images), wrapped(images)):
        assert torch.equal(own, other)
    with pytest.raises(ValueError, match='zoomed already'):
        zoom_(model, 'backbone', strong())
    remove_zoom_(model, 'backbone')
    assert type(model.backbone) is Backbone
    assert all(torch.equal(own, other) for own, other in zip(model.backbone(images), expected))
    with pytest.raises(ValueError, match='not zoomed'):
        remove_zoom_(model, 'backbone')


def test_a_saliency_that_learns_is_put_on_and_taken_off_too():
    model = nn.Sequential(OrderedDict(backbone=Backbone()))
    names = list(model.state_dict())
    zoom_(model, 'backbone', SaliencyNet())
    assert [n for n in model.state_dict() if 'lzu_saliency' not in n] == names
    sum(level.mean() for level in model.backbone(torch.rand(1, 3, 64, 96))).backward()
    assert model.backbone.lzu_saliency.head.weight.grad is not None
    remove_zoom_(model, 'backbone')
    assert list(model.state_dict()) == names
    with pytest.raises(ValueError, match='wrap it in a ZoomedBackbone'):
        zoom_(model, '', SaliencyNet())


def test_a_container_does_not_run_its_zoom():
    model, images = nn.Sequential(nn.AvgPool2d(2), nn.AvgPool2d(2)), coordinates(128, 192)
    zoom_(model, '', strong())
    torch.testing.assert_close(model(images), ZoomedBackbone(Places(), strong())(images))


def patched():
    model = nn.Sequential(Backbone())
    zoom_(model, '0', strong())
    return model


@pytest.mark.parametrize('make', [lambda: ZoomedBackbone(Backbone(), strong()), patched])
def test_copies_and_pickles_work_like_the_model(make):
    model, images = make().eval(), torch.rand(1, 3, 64, 96)
    expected = model(images)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other is not model
        assert all(torch.equal(own, e) for own, e in zip(other(images), expected))
        next(other.parameters()).data.zero_()
    assert all(torch.equal(own, e) for own, e in zip(model(images), expected))


@pytest.mark.parametrize('make', [lambda: ZoomedBackbone(Backbone(), strong()), patched])
def test_it_compiles_in_one_graph(make):
    pytest.importorskip('torch._inductor')
    model, images = make().eval(), torch.rand(1, 3, 64, 96)
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager')
    for own, expected in zip(compiled(images), model(images)):
        torch.testing.assert_close(own, expected)


@pytest.mark.skipif(not hasattr(torch, 'export'), reason='torch.export came with torch 2.1')
def test_it_exports():
    model, images = ZoomedBackbone(Backbone(), strong()).eval(), torch.rand(1, 3, 64, 96)
    program = torch.export.export(model, (images,))
    for own, expected in zip(program.module()(images), model(images)):
        torch.testing.assert_close(own, expected)


def test_geometry_stays_exact_in_half_precision_and_under_autocast():
    images = coordinates(256, 384)
    exact = ZoomedBackbone(Places(), strong())(images)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        torch.testing.assert_close(ZoomedBackbone(Places(), strong())(images), exact)
    low = ZoomedBackbone(Places(), strong()).bfloat16()(images.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, atol=8e-3, rtol=0)


def test_a_saliency_learns_through_zoom_and_unzoom():
    net = SaliencyNet()
    model = ZoomedBackbone(Backbone(), net)
    images = torch.rand(2, 3, 64, 96)
    start = net(images)
    assert torch.equal(start, torch.full_like(start, 1 / start[0].numel()))
    sum((level**2).mean() for level in model(images)).backward()
    assert net.head.weight.grad.abs().sum() > 0
    assert model.backbone.stem.weight.grad.abs().sum() > 0


def test_a_file_and_a_horizon_are_maps(tmp_path):
    images = torch.rand(1, 3, 64, 96)
    backbone = Backbone().eval()
    saliency = strong()
    np.savez(tmp_path / 'map.npz', saliency=(saliency / saliency.sum()).numpy())
    for one, other in ((tmp_path / 'map.npz', saliency), (str(tmp_path / 'map.npz'), saliency)):
        for a, b in zip(
            ZoomedBackbone(backbone, one)(images), ZoomedBackbone(backbone, other)(images)
        ):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    ZoomedBackbone(backbone, horizon_saliency(0.45))(images)


@pytest.mark.parametrize(
    ('saliency', 'settings', 'words'),
    [
        ('uniform', dict(scale=0), 'scale'),
        ('uniform', dict(scale=0.5, size=(8, 8)), 'scale or size'),
        ('uniform', dict(frame=(1, 2, 3)), 'frame'),
        (torch.rand(4), {}, 'a map is'),
        (torch.rand(2, 1, 4, 4), {}, 'the same for all images'),
        (-torch.ones(4, 4), {}, 'negative'),
        (3, {}, 'saliency is'),
        (strong(), dict(method='nearest'), 'method'),
        (strong(), dict(method='equalise', separable=False), 'separable'),
        (strong(), dict(separable=False, unzoom_antialias=True), 'separable'),
        (strong(), dict(antialias='no'), 'antialias'),
    ],
)
def test_wrong_settings_are_refused_when_the_model_is_built(saliency, settings, words):
    with pytest.raises(ValueError, match=words):
        ZoomedBackbone(Backbone(), saliency, **settings)
    with pytest.raises(FileNotFoundError):
        ZoomedBackbone(Backbone(), 'none.npz')
