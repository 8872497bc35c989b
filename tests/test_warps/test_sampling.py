"""One axis after the other, and anti-aliased, against grid_sample and brute force."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lzu_mm.warps import SeparableWarp, saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.antialias import filter_axes, triangle_weights
from lzu_mm.warps.sampling import sample_axes, sample_grid, to_grid

FORMATS = pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last], ids=['nchw', 'nhwc']
)


def any_raster(batch, seed=0):
    """Columns and rows in pixels, in and out of an image of 17 x 23."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(batch, 31, generator=generator) * 27 - 2
    y = torch.rand(batch, 11, generator=generator) * 21 - 2
    return x, y


@FORMATS
@pytest.mark.parametrize('batch', [1, 3], ids=['shared', 'each its own'])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32, torch.bfloat16])
def test_axes_are_the_grid(memory_format, batch, dtype, monkeypatch):
    monkeypatch.setattr('lzu_mm.warps.sampling._BAND', 500)  # many bands, the last one short
    image = torch.randint(0, 256, (3, 4, 17, 23), generator=torch.manual_seed(1)).to(dtype)
    image = image.contiguous(memory_format=memory_format)
    x, y = any_raster(batch)
    raster = (x[:, None].expand(-1, 11, -1), y[..., None].expand(-1, -1, 31))
    expected = sample_grid(image, to_grid(*raster, (17, 23)))
    sampled = sample_axes(image, x, y)
    assert sampled.dtype == expected.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
    assert sampled.is_contiguous(memory_format=memory_format)
    assert expected.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(
        sampled, expected, rtol=1e-2 if dtype == torch.bfloat16 else 1e-4, atol=1e-3
    )


@FORMATS
@pytest.mark.parametrize('batch', [1, 3], ids=['shared', 'each its own'])
@pytest.mark.parametrize('channels', [64, 33])
def test_blocks_of_channels_are_grid_sample(memory_format, batch, channels):
    """Value and gradients, whether or not the channels are sampled in blocks."""
    generator = torch.manual_seed(2)
    image = torch.randn(3, channels, 7, 9, dtype=torch.float64, generator=generator)
    image = image.contiguous(memory_format=memory_format).requires_grad_()
    grid = torch.rand(batch, 5, 4, 2, dtype=torch.float64, generator=generator) * 2.2 - 1.1
    grid.requires_grad_()
    weight = torch.randn(3, channels, 5, 4, dtype=torch.float64, generator=generator)
    expected = F.grid_sample(
        image, grid.expand(3, -1, -1, -1), padding_mode='border', align_corners=False
    )
    sampled = sample_grid(image, grid)
    torch.testing.assert_close(sampled, expected)
    torch.testing.assert_close(
        torch.autograd.grad((sampled * weight).sum(), (image, grid)),
        torch.autograd.grad((expected * weight).sum(), (image, grid)),
    )


@FORMATS
def test_axes_are_differentiable(memory_format):
    image = torch.rand(2, 2, 5, 6, dtype=torch.float64).contiguous(memory_format=memory_format)
    x = (torch.rand(2, 4, dtype=torch.float64) * 4 + 0.3).requires_grad_()
    y = (torch.rand(2, 3, dtype=torch.float64) * 3 + 0.3).requires_grad_()
    assert torch.autograd.gradcheck(sample_axes, (image.requires_grad_(), x, y))


@pytest.mark.parametrize(
    'sizes', [((60, 90), (15, 27)), ((61, 95), (20, 95)), ((20, 30), (45, 50))]
)
def test_antialiased_uniform_zoom_is_antialiased_interpolation(sizes):
    source, size = sizes
    image = torch.randint(0, 256, (3, *source), dtype=torch.uint8, generator=torch.manual_seed(0))
    warp = saliency_to_warp(torch.ones(1, 1, 27, 48))
    zoomed = zoom_image(image, warp, size, antialias=True)
    expected = F.interpolate(image[None].float(), size, mode='bilinear', antialias=True)[0]
    torch.testing.assert_close(zoomed, expected, rtol=0, atol=0.05)
    torch.testing.assert_close(zoom_image(image, None, size, antialias=True), expected)


def test_triangles_follow_the_local_scale():
    """Against the definition, pixel by pixel."""
    position, scale = torch.tensor([0.2, 7.4, 18.9]), torch.tensor([0.5, 3.0, 2.2])
    image = torch.rand(2, 20, 20)
    index, weight = triangle_weights(position, scale, 20)
    zoomed = filter_axes(image, (index, weight), (index, weight)).numpy()
    matrix = np.zeros((3, 20))
    for i in range(3):
        width = max(float(scale[i]), 1)
        for j in range(20):
            matrix[i, j] = max(0, 1 - abs(j - float(position[i])) / width)
        matrix[i] /= matrix[i].sum()
    np.testing.assert_allclose(zoomed, matrix @ image.numpy() @ matrix.T, atol=1e-5)


def test_antialiasing_averages_where_the_warp_minifies_and_not_where_it_magnifies():
    # The warp magnifies the left end and minifies the right one.
    knots = torch.linspace(0, 1, 20)[None] ** 2
    warp = SeparableWarp(knots, torch.linspace(0, 1, 10)[None])
    stripes = (torch.arange(400) % 2).float().expand(1, 40, -1) * 255
    zoomed = zoom_image(stripes, warp, (40, 200), antialias=True)[0, 0]
    plain = zoom_image(stripes, warp, (40, 200))[0, 0]
    assert zoomed[150:].std() < 6 < 30 < plain[150:].std()
    torch.testing.assert_close(zoomed[2:30], plain[2:30])


def test_antialiased_zoom_is_differentiable():
    saliency = torch.rand(1, 1, 5, 7, dtype=torch.float64, requires_grad=True)
    image = torch.rand(3, 17, 23, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda s: zoom_image(image, saliency_to_warp(s, 3), (6, 8), antialias=True), (saliency,)
    )


def test_what_antialiasing_cannot_do_is_refused():
    image, saliency = torch.rand(3, 20, 30), torch.rand(1, 1, 5, 7)
    with pytest.raises(ValueError, match='separable=True'):
        zoom_image(image, saliency_to_warp(saliency, separable=False), (10, 15), antialias=True)
    with pytest.raises(ValueError, match='align_corners=False'):
        zoom_image(image, saliency_to_warp(saliency), (10, 15), align_corners=True, antialias=True)


@FORMATS
@pytest.mark.parametrize('separable', [True, False])
def test_one_warp_serves_a_batch_of_several_sizes(memory_format, separable):
    warp = saliency_to_warp(
        torch.rand(1, 1, 9, 12, generator=torch.manual_seed(0)), 4, separable=separable
    )
    feature = torch.rand(2, 4, 16, 20).contiguous(memory_format=memory_format)
    content = [(100, 150), (128, 160)]
    together = unzoom_feature(feature, warp, content, (128, 160))
    assert together.is_contiguous(memory_format=memory_format)
    for i in range(2):
        alone = unzoom_feature(
            feature[i : i + 1].contiguous(), warp, content[i : i + 1], (128, 160)
        )
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


def test_what_depends_on_a_fixed_warp_is_made_once(monkeypatch):
    warp = saliency_to_warp(torch.rand(1, 1, 9, 12))
    image = torch.rand(1, 3, 40, 60)
    first = zoom_image(image[0], warp, (20, 30)), unzoom_feature(image, warp, [(40, 60)], (40, 60))
    monkeypatch.setattr(SeparableWarp, 'map_x', None)
    monkeypatch.setattr(SeparableWarp, 'map_axes', None)
    again = zoom_image(image[0], warp, (20, 30)), unzoom_feature(image, warp, [(40, 60)], (40, 60))
    assert all(torch.equal(one, other) for one, other in zip(first, again))
    with pytest.raises(TypeError):
        zoom_image(image[0], warp, (21, 30))


def test_what_is_made_in_inference_mode_serves_in_training():
    warp = saliency_to_warp(torch.rand(1, 1, 9, 12))
    feature = torch.rand(1, 3, 40, 60)
    with torch.inference_mode():
        expected = unzoom_feature(feature, warp, [(40, 60)], (40, 60)).sum()
    feature.requires_grad_()
    unzoomed = unzoom_feature(feature, warp, [(40, 60)], (40, 60)).sum()
    unzoomed.backward()
    torch.testing.assert_close(unzoomed.detach(), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('separable', [True, False])
@pytest.mark.parametrize('antialias', [True, False])
def test_nothing_waits_for_the_gpu(separable, antialias):
    if antialias and not separable:
        pytest.skip('not offered')
    saliency = torch.rand(2, 1, 27, 48, device='cuda')
    image = torch.randint(0, 256, (3, 120, 160), dtype=torch.uint8, device='cuda')
    feature = torch.rand(2, 8, 16, 20, device='cuda')
    torch.cuda.set_sync_debug_mode('error')
    try:
        warp = saliency_to_warp(saliency, separable=separable)
        zoom_image(image, warp.index(slice(0, 1)), (60, 80), antialias=antialias)
        unzoom_feature(feature, warp, [(60, 80), (64, 80)], (64, 80))
    finally:
        torch.cuda.set_sync_debug_mode('default')
