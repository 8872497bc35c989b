"""Zooming an image that is padded: only its content is warped."""

import pytest
import torch
import torch.nn.functional as F

from lzu_mm.warps import saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.part import PartWarp
from lzu_mm.warps.sampling import sample_grid
from lzu_mm.warps.zoom import zoom_grid, zoomed_content

PAD = 114
KINDS = pytest.mark.parametrize(
    'options',
    [dict(), dict(separable=False), dict(antialias=True), dict(method='equalise')],
    ids=['separable', 'bilinear', 'antialias', 'equalise'],
)


def make(options):
    generator = torch.Generator().manual_seed(3)
    saliency = torch.rand(1, 1, 9, 11, generator=generator) ** 3
    options = dict(options)
    antialias = options.pop('antialias', False)
    image = torch.rand(3, 60, 100, generator=generator) * 255
    return saliency_to_warp(saliency, **options), image, antialias


@KINDS
def test_content_is_zoomed_as_without_padding(options):
    warp, image, antialias = make(options)
    padded = F.pad(image, (0, 28, 0, 68), value=PAD)  # letterbox: 60 x 100 on 128 x 128
    zoomed = zoom_image(padded, warp, (64, 64), antialias=antialias, content=(60, 100))
    expected = zoom_image(image, warp, (30, 50), antialias=antialias)
    # The pixels at its border blend with the padding, as in any resize of a padded image.
    torch.testing.assert_close(zoomed[:, :28, :48], expected[:, :28, :48], atol=0.01, rtol=0)
    for padding in (zoomed[:, 31:], zoomed[:, :, 51:]):
        torch.testing.assert_close(padding, torch.full_like(padding, PAD))
    # As a uniform resize has it.
    resized = zoom_image(padded, None, (64, 64), antialias=antialias)
    torch.testing.assert_close(zoomed[:, 32:], resized[:, 32:])
    assert (zoomed - resized)[:, :30, :50].abs().mean() > 1


@KINDS
def test_uniform_saliency_resizes_a_padded_image(options):
    options = dict(options)
    antialias = options.pop('antialias', False)
    warp = saliency_to_warp(torch.ones(1, 1, 9, 11), **options)
    image = torch.rand(3, 96, 128) * 255
    zoomed = zoom_image(image, warp, (48, 64), antialias=antialias, content=(61, 128))
    expected = zoom_image(image, None, (48, 64), antialias=antialias)
    torch.testing.assert_close(zoomed, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize('align_corners', [False, True])
def test_a_padded_image_unzooms_to_itself(align_corners):
    warp, *_ = make({})
    y, x = torch.meshgrid(torch.arange(240.0), torch.arange(320.0), indexing='ij')
    image = torch.stack((x, y))
    size, content = (120, 160), (200, 250)
    zoomed = zoom_image(image, warp, size, align_corners, content=content)
    on_canvas = zoomed_content(content, (240, 320), size, align_corners)
    unzoomed = unzoom_feature(zoomed[None], warp, [on_canvas], size, align_corners)[0]
    expected = zoom_image(image, None, size, align_corners)
    inside = (slice(None), slice(1, int(on_canvas[0]) - 1), slice(1, int(on_canvas[1]) - 1))
    assert (unzoomed - expected)[inside].abs().max() < 1
    assert (zoomed - expected)[inside].abs().max() > 20


def test_the_grid_of_a_separable_warp_samples_as_its_axes():
    warp, image, _ = make({})
    by_axes = zoom_image(image, warp, (30, 50), content=(45, 70))
    grid = zoom_grid(warp, (60, 100), (30, 50), (45, 70))
    torch.testing.assert_close(sample_grid(image[None], grid)[0], by_axes, atol=0.01, rtol=0)


@pytest.mark.parametrize('separable', [True, False])
def test_a_warp_of_a_part_leaves_the_rest(separable):
    torch.manual_seed(0)
    inner = saliency_to_warp(torch.rand(2, 1, 9, 13), separable=separable)
    warp = PartWarp(inner, torch.tensor([[1.0, 0.5], [0.75, 1.0]]))
    points = torch.rand(2, 200, 2)
    for mapped, of_part in (
        (warp.to_zoomed, inner.to_zoomed),
        (warp.to_source, inner.to_source),
    ):
        for i, share in enumerate(warp.share):
            inside = (points[i] <= share).all(dim=1)
            found = mapped(points)[i]
            assert 0 < inside.sum() < 200
            torch.testing.assert_close(found[~inside], points[i][~inside])
            expected = of_part(points / share)[i] * share
            torch.testing.assert_close(found[inside], expected[inside])
    both = warp.to_source(warp.to_zoomed(points))
    torch.testing.assert_close(both, points, atol=1e-4, rtol=0)
    # A grid is the warp at the centres of its pixels.
    centres = (warp.zoom_grid((6, 8)).flatten(1, 2) + 1) / 2
    y, x = torch.meshgrid((torch.arange(6) + 0.5) / 6, (torch.arange(8) + 0.5) / 8, indexing='ij')
    torch.testing.assert_close(centres, warp.to_source(torch.stack((x, y), -1).view(1, -1, 2)))
    torch.testing.assert_close(
        warp.index(slice(1, 2)).to_zoomed(points[1:]), warp.to_zoomed(points)[1:]
    )
