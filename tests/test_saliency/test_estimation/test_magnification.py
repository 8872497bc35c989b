import math

import pytest
import torch

from lzu_mm.saliency.estimation.magnification import (
    cells_as_boxes,
    describe_magnification,
    magnification,
    same_aspect,
)
from lzu_mm.warps import SeparableWarp, saliency_to_warp


def test_boxes_are_measured_in_the_zoomed_image():
    # x: source [0, 1/2] fills 3/4 of the zoomed image; y stays.
    warp = SeparableWarp(torch.tensor([[0, 0.75, 1]]), torch.tensor([[0, 0.5, 1]]), of_inverse=True)
    boxes = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.6, 0.0, 0.8, 1.0], [0.4, 0.4, 0.6, 0.5]])
    expected = torch.tensor([[1.5, 1], [0.5, 1], [1.0, 1]]).double()
    torch.testing.assert_close(magnification(boxes, warp), expected)


def test_a_plane_warp_is_measured_too():
    saliency = torch.rand(1, 1, 6, 8)
    boxes, _ = cells_as_boxes(saliency[0, 0])
    separable = magnification(boxes, saliency_to_warp(torch.ones(1, 1, 6, 8), separable=False))
    torch.testing.assert_close(separable, torch.ones(48, 2).double(), rtol=0, atol=1e-4)


def test_cells_cover_the_image_with_their_saliency():
    boxes, weights = cells_as_boxes(torch.tensor([[1.0, 2, 3], [4, 5, 5]]))
    assert weights.tolist() == pytest.approx([v / 20 for v in (1, 2, 3, 4, 5, 5)])
    assert boxes[4].tolist() == pytest.approx([1 / 3, 0.5, 2 / 3, 1])


def test_quantiles_and_means_of_hand():
    factors = torch.tensor([[1.0, 4], [2, 2], [4, 1], [1, 1]])
    found = describe_magnification(factors)
    assert found['x'] == pytest.approx(dict(median=1, p10=1, p90=4, mean=8**0.25))
    assert found['size'] == pytest.approx(dict(median=2, p10=1, p90=2, mean=8**0.25))
    weighted = describe_magnification(factors, torch.tensor([0.0, 0, 1, 0]))
    assert weighted['x'] == pytest.approx(dict(median=4, p10=4, p90=4, mean=4))


def test_objects_keep_their_aspect_at_the_size_it_gives():
    rows = torch.exp(-(((torch.arange(31) - 15) / 2.0) ** 2) / 2)
    saliency = rows[:, None] * torch.ones(51)
    warp = saliency_to_warp(saliency[None, None], method='equalise')
    tall, wide = same_aspect(saliency, warp)
    assert tall * wide == pytest.approx(1)
    boxes, weights = cells_as_boxes(saliency)
    gain = (weights.double()[:, None] * magnification(boxes, warp).log()).sum(dim=0)
    assert gain[1] > math.log(2)
    assert gain[0] + math.log(wide) == pytest.approx((gain[1] + math.log(tall)).item(), abs=1e-6)
