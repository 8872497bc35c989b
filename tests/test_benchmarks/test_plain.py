"""What the benchmark compares with does the same work."""

import pytest
import torch
import torch.nn.functional as F

from lzu_mm.warps import saliency_to_warp, zoom_image
from timing.plain import invert_by_cells, normalise_then_zoom


def maps(batch):
    coarse = torch.rand(batch, 1, 4, 6, generator=torch.manual_seed(0)) ** 2
    return F.interpolate(coarse.double(), (15, 20), mode='bicubic').clamp_min(0.05)


@pytest.mark.parametrize('size', [(40, 60), (5, 8)])
def test_inversion_by_cells_is_the_inverse_of_separable_warps(size):
    warp = saliency_to_warp(maps(2))
    x, y = warp.knots_x, warp.knots_y
    knots = torch.stack((x[:, None].expand(-1, 15, -1), y[..., None].expand(-1, -1, 20)), dim=-1)
    expected = (warp.unzoom_grid(size) + 1) / 2
    torch.testing.assert_close(invert_by_cells(knots, size, True), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize('size', [(40, 60), (5, 8)])
def test_inversion_by_cells_is_the_inverse_of_bilinear_warps(size):
    warp = saliency_to_warp(maps(2), separable=False)
    expected = (warp.unzoom_grid(size) + 1) / 2
    torch.testing.assert_close(
        invert_by_cells(warp.knots, size, False), expected, rtol=0, atol=1e-9
    )


def test_normalising_first_is_normalising_last():
    image = torch.randint(0, 256, (3, 60, 90), dtype=torch.uint8)
    warp = saliency_to_warp(maps(1).float())
    mean, std = torch.tensor([10.0, 20, 30]).view(3, 1, 1), torch.tensor([2.0, 3, 4]).view(3, 1, 1)
    expected = (zoom_image(image, warp, (30, 45)) - mean) / std
    plain = normalise_then_zoom(image, warp.zoom_grid((30, 45)), mean, std)
    torch.testing.assert_close(plain, expected, rtol=0, atol=1e-3)
