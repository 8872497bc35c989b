"""The fused kernels against plain torch, in Triton's interpreter, which needs no GPU."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lzu_mm.warps import fused, saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.zoom import zoom_images

ROOT = Path(__file__).resolve().parents[2]
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
interpreted = pytest.mark.skipif(not INTERPRETED, reason='runs in a process of its own')
KINDS = pytest.mark.parametrize(
    'options',
    [{}, {'anti_crop': False}, {'max_magnification': 1.3}, {'method': 'equalise'}],
    ids=['attraction', 'crop', 'bound', 'equalise'],
)
FORMATS = pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last], ids=['nchw', 'nhwc']
)


@pytest.mark.skipif(not fused._has_triton(), reason='needs Triton 3')
@pytest.mark.skipif(INTERPRETED, reason='is this process')
def test_in_the_interpreter():
    command = [sys.executable, '-m', 'pytest', '-q', '--noconftest', '-p', 'no:cacheprovider']
    process = subprocess.run(
        [*command, __file__],
        cwd=ROOT,
        env={**os.environ, 'TRITON_INTERPRET': '1'},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout[-3000:]


def test_off_without_a_gpu_and_where_others_look():
    values = torch.rand(1, 1, 4, 4)
    assert not fused.takes(values, values)
    with fused.fused_kernels(False):
        assert not fused.takes(values, values)


@pytest.mark.parametrize(
    ('version', 'taken'), [('2.3.1', False), ('3.0.0', True), ('3.10.0', True)]
)
def test_triton_without_rounded_divisions_is_left_alone(monkeypatch, version, taken):
    monkeypatch.setitem(sys.modules, 'triton', SimpleNamespace(__version__=version))
    assert fused._has_triton.__wrapped__() is taken


def test_where_a_gradient_is_wanted_they_run_only_when_asked_for(monkeypatch):
    values = torch.rand(1, 1, 4, 4)
    assert fused._pays(values)
    values.requires_grad_()
    assert not fused._pays(values)
    with torch.no_grad():
        assert fused._pays(values)
    with fused.fused_kernels(True):
        assert fused._pays(values)
        # Atomic sums come in any order.
        monkeypatch.setattr(torch, 'are_deterministic_algorithms_enabled', lambda: True)
        assert not fused._pays(values)


@pytest.fixture
def both(monkeypatch):
    """Runs a function by plain torch and by the kernels."""

    def takes(values, knots):
        return fused._enabled and knots.dtype == torch.float32 and not knots.requires_grad

    monkeypatch.setattr(fused, 'takes', takes)

    def run(function):
        results = []
        for enabled in (False, True):
            with fused.fused_kernels(enabled):
                results.append(function())
        return results

    return run


def maps(h=7, w=11):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 1, h, w, generator=generator) ** 3


@interpreted
@KINDS
def test_knots_and_both_ways(both, options):
    points = torch.linspace(-0.3, 1.3, 37).expand(2, -1)

    def run():
        warp = saliency_to_warp(maps(), **options)
        ways = [warp.map_x(points, inverse) for inverse in (True, False)]
        shared = [warp.map_y(points[:1], inverse) for inverse in (True, False)]
        return [warp.knots_x, warp.knots_y, *ways, *shared]

    for plain, found in zip(*both(run)):
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-6)


@interpreted
def test_uniform_is_the_identity_to_the_bit(both):
    points = torch.rand(2, 50)
    feature = torch.rand(2, 3, 5, 8)

    def run():
        for options in ({}, {'method': 'equalise'}):
            warp = saliency_to_warp(torch.full((2, 1, 31, 51), 0.3), **options)
            assert torch.equal(warp.map_x(points, True), points)
            assert torch.equal(warp.map_x(points, False), points)
            for antialias in (False, True):
                out = unzoom_feature(feature, warp, [(40, 64)] * 2, (40, 64), antialias=antialias)
                if antialias:
                    assert torch.equal(out, feature)
                torch.testing.assert_close(out, feature, rtol=0, atol=1e-5)

    with fused.fused_kernels(True):
        run()


@interpreted
@FORMATS
@pytest.mark.parametrize('antialias', [False, True])
@pytest.mark.parametrize('content', [[(64, 112)] * 2, [(64, 112), (50, 90)]])
def test_unzoom_and_its_gradient(both, memory_format, antialias, content):
    feature = torch.rand(2, 5, 4, 7, generator=torch.Generator().manual_seed(1))
    frame = (1, 1) if content[0] == content[1] else (2, 1.5)

    def run():
        warp = saliency_to_warp(maps(), method='equalise')
        x = feature.clone(memory_format=memory_format).requires_grad_()
        out = unzoom_feature(x, warp, content, (64, 112), antialias=antialias, frame=frame)
        pull = torch.linspace(0, 1, out.numel()).view_as(out)
        (gradient,) = torch.autograd.grad((out * pull).sum(), x)
        return out.detach(), gradient

    (plain, plain_gradient), (found, gradient) = both(run)
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-4)
    torch.testing.assert_close(gradient, plain_gradient, rtol=1e-4, atol=1e-4)


@interpreted
def test_the_gradient_has_a_gradient(both):
    def run():
        warp = saliency_to_warp(maps())
        x = torch.full((1, 2, 3, 4), 0.5, requires_grad=True)
        out = unzoom_feature(x, warp.index(slice(0, 1)), [(24, 32)], (24, 32))
        (gradient,) = torch.autograd.grad((out**3).sum(), x, create_graph=True)
        return torch.autograd.grad((gradient**2).sum(), x)[0]

    plain, found = both(run)
    torch.testing.assert_close(found, plain, rtol=1e-3, atol=1e-4)


@interpreted
@pytest.mark.parametrize(
    ('dtype', 'antialias'),
    [
        (torch.uint8, False),
        (torch.uint8, True),
        (torch.float32, False),
        (torch.bfloat16, False),
        (torch.bfloat16, True),
    ],
)
def test_zoom(both, dtype, antialias):
    image = (torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(2)) * 255).to(dtype)

    def run():
        warp = saliency_to_warp(maps())
        first = warp.index(slice(0, 1))
        one = zoom_image(image, first, (8, 12), antialias=antialias, content=(16, 30))
        pair = image[None].float().expand(2, -1, -1, -1)
        return one, zoom_images(pair, warp, (8, 12), antialias=antialias)

    for plain, found in zip(*both(run)):
        assert found.dtype == plain.dtype
        rtol = 1e-2 if plain.dtype == torch.bfloat16 else 1e-4
        torch.testing.assert_close(found, plain, rtol=rtol, atol=1e-3)


@interpreted
def test_warps_of_another_number_of_images_are_refused(both):
    def run():
        with pytest.raises((ValueError, RuntimeError)):
            unzoom_feature(torch.rand(3, 1, 3, 4), saliency_to_warp(maps()), [(24, 32)], (24, 32))

    both(run)
