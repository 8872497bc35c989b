import math

import pytest
import torch

from lzu_mm.warps.attraction import bilinear_knots, separable_knots

from .reference import axis_knots, plane_knots


@pytest.mark.parametrize('anti_crop', [True, False])
@pytest.mark.parametrize('fwhm', [1.5, 4, 10])
def test_separable_knots_are_the_formula(anti_crop, fwhm):
    saliency = torch.rand(2, 1, 5, 8, dtype=torch.float64) ** 4
    knots_x, knots_y = separable_knots(saliency, fwhm, anti_crop)
    for sample, x, y in zip(saliency[:, 0].numpy(), knots_x.numpy(), knots_y.numpy()):
        assert x == pytest.approx(axis_knots(sample.sum(0), 4, fwhm, anti_crop), abs=1e-10)
        assert y == pytest.approx(axis_knots(sample.sum(1), 4, fwhm, anti_crop), abs=1e-10)


@pytest.mark.parametrize('anti_crop', [True, False])
@pytest.mark.parametrize('shape', [(4, 6), (6, 4)])
def test_bilinear_knots_are_the_formula(anti_crop, shape):
    saliency = torch.rand(2, 1, *shape, dtype=torch.float64) ** 4
    knots = bilinear_knots(saliency, 3, anti_crop)
    for sample, computed in zip(saliency[:, 0].numpy(), knots.numpy()):
        assert computed == pytest.approx(plane_knots(sample, 3, anti_crop), abs=1e-10)


def test_hand_computed_knot():
    # The marginal over x is (1, 2, 3); reflected by two nodes it is 3 2 (1 2 3) 2 1.
    saliency = torch.tensor([[1.0, 2, 3]] * 3, dtype=torch.float64)[None, None] / 3
    near, far = math.exp(-4 * math.log(2) / 9), math.exp(-4 * math.log(2) * 4 / 9)
    middle = (2 * far + 0.5 * 2 + 3 * near) / (2 * 2 * far + 2 + (1 + 3) * near)
    knots_x, knots_y = separable_knots(saliency, 3, True)
    assert knots_x[0].tolist() == pytest.approx([0, middle, 1], abs=1e-10)
    assert knots_y[0].tolist() == pytest.approx([0, 0.5, 1], abs=1e-10)


def test_saliency_that_varies_along_one_axis_gives_the_same_warp_both_ways():
    row = torch.rand(7, dtype=torch.float64)
    saliency = row.expand(1, 1, 7, 7)
    knots_x, _ = separable_knots(saliency, 4, True)
    knots = bilinear_knots(saliency, 4, True)
    torch.testing.assert_close(knots[..., 0], knots_x[:, None].expand(-1, 7, -1))


@pytest.mark.parametrize('separable', [True, False])
def test_a_hot_cell_out_of_reach_leaves_knots_finite(separable):
    saliency = torch.zeros(1, 1, 4, 40)
    saliency[..., -1] = 1
    if separable:
        knots, _ = separable_knots(saliency, 1, True)
    else:
        knots = bilinear_knots(saliency, 1, True)
    assert knots.isfinite().all()
    assert knots.min() >= 0
    assert knots.max() <= 1
