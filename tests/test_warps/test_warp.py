"""What holds of every warp, whatever the saliency."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lzu_mm.warps import saliency_to_warp

from .reference import bilinear

KINDS = pytest.mark.parametrize('separable', [True, False], ids=['separable', 'bilinear'])
CROPS = pytest.mark.parametrize('anti_crop', [True, False], ids=['anti-crop', 'crop'])


def any_saliency():
    """Any shape, any batch; values that spread over many decades, zeros included."""
    shapes = st.tuples(st.integers(1, 3), st.just(1), st.integers(2, 9), st.integers(2, 9))
    values = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=values))


def points(batch, count=200):
    return torch.rand(batch, count, 2, dtype=torch.float64, generator=torch.manual_seed(1))


@KINDS
@settings(max_examples=60, deadline=None)
@given(saliency=any_saliency(), fwhm=st.floats(0.5, 20))
def test_to_zoomed_and_to_source_are_inverse(separable, saliency, fwhm):
    warp = saliency_to_warp(torch.from_numpy(saliency), fwhm, separable=separable)
    p = points(len(saliency))
    torch.testing.assert_close(warp.to_zoomed(warp.to_source(p)), p, rtol=0, atol=1e-9)
    torch.testing.assert_close(warp.to_source(warp.to_zoomed(p)), p, rtol=0, atol=1e-9)


@KINDS
@settings(max_examples=30, deadline=None)
@given(saliency=any_saliency(), fwhm=st.floats(0.5, 20))
def test_what_is_seen_without_anti_crop_comes_back(separable, saliency, fwhm):
    warp = saliency_to_warp(torch.from_numpy(saliency), fwhm, False, separable)
    p = points(len(saliency))
    torch.testing.assert_close(warp.to_zoomed(warp.to_source(p)), p, rtol=0, atol=1e-9)


@KINDS
@settings(max_examples=30, deadline=None)
@given(saliency=any_saliency(), fwhm=st.floats(0.5, 20))
def test_single_precision_keeps_order_and_frame(separable, saliency, fwhm):
    warp = saliency_to_warp(torch.from_numpy(saliency).float(), fwhm, separable=separable)
    for grid in (warp.zoom_grid((40, 50)), warp.unzoom_grid((40, 50))):
        assert grid.min() >= -1
        assert grid.max() <= 1
        assert (grid[..., 0].diff(dim=2) > 0).all()
        assert (grid[..., 1].diff(dim=1) > 0).all()


@KINDS
@settings(max_examples=30, deadline=None)
@given(saliency=any_saliency())
def test_mirrored_saliency_mirrors_the_warp(separable, saliency):
    saliency = torch.from_numpy(saliency)
    p = points(len(saliency))
    warp = saliency_to_warp(saliency, 4, separable=separable)
    mirrored = saliency_to_warp(saliency.flip(-1), 4, separable=separable)
    flip = torch.tensor([-1.0, 1], dtype=torch.float64)
    shift = torch.tensor([1.0, 0], dtype=torch.float64)
    expected = warp.to_source(p * flip + shift) * flip + shift
    torch.testing.assert_close(mirrored.to_source(p), expected, rtol=0, atol=1e-8)


@KINDS
@CROPS
def test_samples_of_a_batch_do_not_mix(separable, anti_crop):
    saliency = torch.rand(3, 1, 6, 9)
    together = saliency_to_warp(saliency, 4, anti_crop, separable)
    for i in range(3):
        alone = saliency_to_warp(saliency[i : i + 1], 4, anti_crop, separable)
        torch.testing.assert_close(together.zoom_grid((7, 5))[i], alone.zoom_grid((7, 5))[0])
        torch.testing.assert_close(together.index(slice(i, i + 1)).unzoom_grid((4, 4))[0],
                                   alone.unzoom_grid((4, 4))[0])  # fmt: skip


@KINDS
@CROPS
@pytest.mark.parametrize('value', [0.0, 1e-30, 1.0, 1e30])
def test_constant_saliency_is_plain_resizing(separable, anti_crop, value):
    warp = saliency_to_warp(torch.full((1, 1, 27, 48), value), 10, anti_crop, separable)
    image = torch.rand(1, 3, 61, 83)
    for size in ((30, 40), (61, 83), (100, 120)):
        for align_corners in (False, True):
            expected = F.interpolate(image, size, mode='bilinear', align_corners=align_corners)
            for grid in (
                warp.zoom_grid(size, align_corners),
                warp.unzoom_grid(size, align_corners),
            ):
                sampled = F.grid_sample(
                    image, grid, padding_mode='border', align_corners=align_corners
                )
                torch.testing.assert_close(sampled, expected, rtol=0, atol=1e-4)


@KINDS
@CROPS
def test_magnifies_where_saliency_is_high(separable, anti_crop):
    saliency = torch.full((1, 1, 21, 31), 0.1)
    saliency[..., 5:8, 20:24] = 3
    warp = saliency_to_warp(saliency, 6, anti_crop, separable)
    hot, step = torch.tensor([22 / 30, 6 / 20]), 0.02
    across = torch.stack((hot - step, hot + step))[None]
    mapped = warp.to_zoomed(across)
    assert ((mapped[0, 1] - mapped[0, 0]) / (2 * step) > 1.3).all()


@KINDS
def test_gradient_through_zoom_and_unzoom(separable):
    for anti_crop in (True, False):
        saliency = torch.rand(2, 1, 5, 7, dtype=torch.float64, requires_grad=True)

        def grids(s, anti_crop=anti_crop):
            warp = saliency_to_warp(s, 3, anti_crop, separable)
            return warp.zoom_grid((6, 5)), warp.unzoom_grid((4, 9))

        assert torch.autograd.gradcheck(grids, (saliency,))


@KINDS
def test_gradient_with_respect_to_points(separable):
    warp = saliency_to_warp(torch.rand(2, 1, 5, 7, dtype=torch.float64), 3, separable=separable)
    p = points(2, 20).requires_grad_()
    assert torch.autograd.gradcheck(warp.to_source, (p,))
    assert torch.autograd.gradcheck(warp.to_zoomed, (p,))


def test_bilinear_grids_are_the_reference():
    saliency = torch.rand(1, 1, 5, 7, dtype=torch.float64) ** 3
    warp = saliency_to_warp(saliency, 3, separable=False)
    knots = warp.knots[0].numpy()
    zoom = (warp.zoom_grid((9, 11))[0].numpy() + 1) / 2
    unzoom = (warp.unzoom_grid((9, 11))[0].numpy() + 1) / 2
    for row in range(9):
        for column in range(11):
            centre = ((column + 0.5) / 11, (row + 0.5) / 9)
            assert zoom[row, column] == pytest.approx(bilinear(knots, centre), abs=1e-12)
            assert bilinear(knots, unzoom[row, column]) == pytest.approx(centre, abs=1e-12)


@KINDS
def test_points_outside_the_content_stay(separable):
    warp = saliency_to_warp(torch.rand(1, 1, 5, 7), 3, separable=separable)
    outside = torch.tensor([[[1.2, 0.3], [-0.1, 0.5], [0.5, 1.01]]])
    torch.testing.assert_close(warp.to_source(outside), outside)
    torch.testing.assert_close(warp.to_zoomed(outside), outside)


@KINDS
def test_unseen_source_goes_to_the_nearest_edge(separable):
    saliency = torch.zeros(1, 1, 9, 9)
    saliency[..., 4, 4] = 1
    warp = saliency_to_warp(saliency + 1e-3, 9, False, separable)
    reach = warp.to_source(torch.tensor([[[0.0, 0.5], [1.0, 0.5]]]))[0, :, 0]
    assert reach[0] > 0.05
    assert reach[1] < 0.95
    unseen = torch.tensor([[[0.01, 0.5], [0.99, 0.5]]])
    torch.testing.assert_close(warp.to_zoomed(unseen)[0, :, 0], torch.tensor([0.0, 1.0]))


@KINDS
@pytest.mark.parametrize('limit', [1.5, 4])
def test_magnification_is_bounded(separable, limit):
    saliency = torch.full((2, 1, 15, 21), 1e-3)
    saliency[0, :, 7, 10] = 1
    saliency[1, :, 2, 3] = 1
    knots = torch.stack((torch.linspace(0, 1, 200), torch.full((200,), 0.47)), dim=-1)[None]
    free = saliency_to_warp(saliency, 4, separable=separable)
    bound = saliency_to_warp(saliency, 4, separable=separable, max_magnification=limit)
    slope = [
        w.to_source(knots.expand(2, -1, -1))[..., 0].diff(dim=1).amin() * 199 for w in (free, bound)
    ]
    assert slope[0] < 1 / limit
    assert slope[1] == pytest.approx(1 / limit, rel=2e-2) or slope[1] > 1 / limit


@KINDS
def test_a_warp_within_its_bound_is_untouched(separable):
    saliency = 1 + torch.rand(2, 1, 15, 21)
    free = saliency_to_warp(saliency, separable=separable)
    bound = saliency_to_warp(saliency, separable=separable, max_magnification=4)
    assert torch.equal(free.zoom_grid((20, 20)), bound.zoom_grid((20, 20)))


@KINDS
def test_half_precision_is_lifted(separable):
    saliency = torch.rand(1, 1, 5, 7)
    for dtype in (torch.float16, torch.bfloat16):
        warp = saliency_to_warp(saliency.to(dtype), 3, separable=separable)
        exact = saliency_to_warp(saliency.to(dtype).float(), 3, separable=separable)
        assert warp.zoom_grid((4, 4)).dtype == torch.float32
        assert torch.equal(warp.zoom_grid((4, 4)), exact.zoom_grid((4, 4)))


@KINDS
def test_compiles_to_one_graph(separable):
    def grids(saliency):
        warp = saliency_to_warp(saliency, 4, separable=separable)
        return warp.zoom_grid((20, 30)), warp.unzoom_grid((10, 15))

    saliency = torch.rand(2, 1, 6, 9)
    compiled = torch.compile(grids, fullgraph=True, backend='aot_eager')
    for computed, expected in zip(compiled(saliency), grids(saliency)):
        torch.testing.assert_close(computed, expected)


@pytest.mark.parametrize('bad', [-1.0, float('nan'), float('inf')])
def test_bad_values_are_refused(bad):
    saliency = torch.ones(2, 1, 4, 4)
    saliency[1, 0, 2, 2] = bad
    with pytest.raises(ValueError, match='finite and non-negative'):
        saliency_to_warp(saliency)


@pytest.mark.parametrize('shape', [(4, 4), (1, 4, 4), (1, 3, 4, 4), (1, 1, 1, 4), (1, 1, 4, 1)])
def test_bad_shapes_are_refused(shape):
    with pytest.raises(ValueError, match='shape'):
        saliency_to_warp(torch.ones(shape))


def test_bad_parameters_are_refused():
    saliency = torch.ones(1, 1, 4, 4)
    for fwhm in (0, -1, float('nan'), float('inf')):
        with pytest.raises(ValueError, match='attraction_fwhm'):
            saliency_to_warp(saliency, fwhm)
    with pytest.raises(ValueError, match='max_magnification'):
        saliency_to_warp(saliency, max_magnification=1)
    with pytest.raises(ValueError, match='floating point'):
        saliency_to_warp(saliency.long())
    warp = saliency_to_warp(saliency)
    with pytest.raises(ValueError, match='points'):
        warp.to_source(torch.rand(5, 2))
    with pytest.raises(ValueError, match='batch'):
        warp.to_source(torch.rand(2, 5, 2))
    with pytest.raises(ValueError, match='size'):
        warp.zoom_grid((0, 4))
