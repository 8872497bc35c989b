"""The equalising warp: closed form, Gibbs' inequality, bounds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lzu_mm.warps import saliency_to_warp


def equalise(saliency, share=0.1, **kwargs):
    return saliency_to_warp(saliency, method='equalise', uniform_share=share, **kwargs)


def any_saliency():
    shapes = st.tuples(st.integers(1, 3), st.just(1), st.integers(2, 9), st.integers(2, 9))
    values = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=values))


def magnification(warp, axis, at):
    """By differences, at source points in the middle of cells."""
    step = 1e-6
    ends = torch.full((1, 2 * len(at), 2), 0.5, dtype=torch.float64)
    ends[0, :, axis] = torch.stack((at - step, at + step), dim=1).flatten()
    return warp.to_zoomed(ends)[0, :, axis].view(-1, 2).diff(dim=1)[:, 0] / (2 * step)


def test_the_inverse_is_the_integral_of_the_density():
    # Columns of mass 1, 3 and 0 of 4; a = 0.2: p = 0.8·(3/4, 9/4, 0) + 0.2 = 0.8, 2.0, 0.2.
    saliency = torch.tensor([[1.0, 2, 0], [0, 1, 0]], dtype=torch.float64)[None, None]
    warp = equalise(saliency, 0.2)
    points = torch.tensor([[[1 / 3, 0.5], [0.5, 0.0], [2 / 3, 1.0], [5 / 6, 0.25]]]).double()
    expected = [0.8 / 3, 0.8 / 3 + 1 / 3, 2.8 / 3, 2.8 / 3 + 0.1 / 3]
    zoomed = warp.to_zoomed(points)
    torch.testing.assert_close(zoomed[0, :, 0], torch.tensor(expected).double())
    # Rows of mass 3 and 1: p = 0.8·(3/2, 1/2) + 0.2 = 1.4, 0.6.
    torch.testing.assert_close(zoomed[0, :, 1], torch.tensor([0.7, 0, 1, 0.35]).double())


@pytest.mark.parametrize('axis', [0, 1])
def test_magnification_is_the_density(axis):
    saliency = torch.rand(1, 1, 13, 17, dtype=torch.float64) ** 3
    marginal = saliency[0, 0].sum(dim=axis)
    density = 0.7 * marginal / marginal.mean() + 0.3
    cells = (torch.arange(len(density)) + 0.5) / len(density)
    found = magnification(equalise(saliency, 0.3), axis, cells.double())
    torch.testing.assert_close(found, density, rtol=1e-6, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(saliency=any_saliency(), share=st.floats(0.001, 1))
def test_both_ways_are_inverse(saliency, share):
    warp = equalise(torch.from_numpy(saliency), share)
    points = torch.rand(len(saliency), 200, 2, dtype=torch.float64)
    torch.testing.assert_close(warp.to_zoomed(warp.to_source(points)), points, rtol=0, atol=1e-9)
    torch.testing.assert_close(warp.to_source(warp.to_zoomed(points)), points, rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(saliency=any_saliency(), share=st.floats(0.05, 1), limit=st.floats(1.1, 5))
def test_magnification_is_bounded_on_both_sides(saliency, share, limit):
    warp = equalise(torch.from_numpy(saliency), share, max_magnification=limit)
    for knots in (warp.knots_x, warp.knots_y):
        found = knots.diff(dim=1) * (knots.shape[1] - 1)
        assert found.min() >= share - 1e-9
        assert found.max() <= limit + 1e-9


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('value', [0.0, 0.3, 1 / 1581, 1e20])
def test_uniform_saliency_is_the_identity_to_the_bit(dtype, value):
    warp = equalise(torch.full((2, 1, 31, 51), value, dtype=dtype))
    points = torch.rand(2, 500, 2, dtype=dtype)
    points[:, :3] = torch.tensor([[0, 0], [1, 1], [10 / 51, 7 / 31]], dtype=dtype)
    assert torch.equal(warp.to_zoomed(points), points)
    assert torch.equal(warp.to_source(points), points)


def test_no_other_warp_magnifies_the_objects_more():
    """Gibbs: over objects distributed as p, the mean log magnification is the largest."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.exp(-(((torch.linspace(0, 1, 31) - 0.5) / 0.08) ** 2) / 2)
    saliency = (rows[:, None] * torch.ones(51))[None, None].double()
    density = 0.9 * rows.double() / rows.double().mean() + 0.1
    cells = torch.multinomial(density, 4000, replacement=True, generator=generator)
    objects = (cells + torch.rand(4000, generator=generator)).double() / 31

    def gain(warp):
        return magnification(warp, 1, objects.clamp(1e-5, 1 - 1e-5)).log().mean().item()

    best = gain(equalise(saliency, 0.1))
    others = [equalise(saliency, share) for share in (0.02, 0.3, 0.6, 1)]
    others += [saliency_to_warp(saliency, width) for width in (1, 2, 4, 7, 10, 13, 20)]
    others += [equalise(saliency**power, 0.1) for power in (0.5, 2)]
    assert best > 0.3
    assert best > max(map(gain, others))


def test_gradient_with_respect_to_the_saliency():
    saliency = torch.rand(2, 1, 4, 5, dtype=torch.float64) + 0.1
    points = torch.rand(2, 6, 2, dtype=torch.float64)
    for way in ('to_source', 'to_zoomed'):
        assert torch.autograd.gradcheck(
            lambda s, way=way: getattr(equalise(s, 0.2), way)(points),
            saliency.requires_grad_(),
        )


def test_a_batch_is_its_samples():
    saliency = torch.rand(3, 1, 6, 8)
    grids = equalise(saliency).zoom_grid((9, 11))
    for i in range(3):
        torch.testing.assert_close(equalise(saliency[i : i + 1]).zoom_grid((9, 11))[0], grids[i])


def test_autocast_and_half_precision_keep_single_precision():
    saliency = torch.rand(1, 1, 6, 8)
    expected = equalise(saliency).unzoom_grid((5, 7))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(equalise(saliency).unzoom_grid((5, 7)), expected)
    assert equalise(saliency.half()).unzoom_grid((5, 7)).dtype == torch.float32


def test_compiles_to_one_graph():
    compiled = torch.compile(
        lambda s: equalise(s).unzoom_grid((5, 7)), fullgraph=True, backend='aot_eager'
    )
    saliency = torch.rand(2, 1, 6, 8)
    torch.testing.assert_close(compiled(saliency), equalise(saliency).unzoom_grid((5, 7)))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(share=0), 'uniform_share'),
        (dict(share=1.5), 'uniform_share'),
        (dict(separable=False), 'separable=True'),
        (dict(anti_crop=False), 'anti_crop=True'),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        equalise(torch.ones(1, 1, 3, 3), **options)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match='attraction'):
        saliency_to_warp(torch.ones(1, 1, 3, 3), method='equalize')
