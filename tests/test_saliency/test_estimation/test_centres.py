import math

import pytest
import torch

from lzu_mm.saliency.estimation.centres import CentreSaliency, best_blur, blur


def boxes_at(centres, size=4.0):
    half = torch.tensor([size, size]) / 2
    return torch.cat((torch.tensor(centres) - half, torch.tensor(centres) + half), dim=1)


def test_counts_the_centres_and_blurs_them():
    maps = CentreSaliency((4, 5), sigma=(1e-3, 1e-3))
    # 50 x 40 pixels: cells of 10 x 10; two centres in cell (1, 2), one in (3, 0).
    maps.add(boxes_at([[25.0, 15], [29.9, 10], [0.5, 39]]), (40, 50))
    expected = torch.zeros(4, 5)
    expected[1, 2], expected[3, 0] = 2 / 3, 1 / 3
    torch.testing.assert_close(maps.saliency(), expected)


def test_sizes_of_images_do_not_matter_and_what_lies_outside_is_left_out():
    one, other = CentreSaliency((4, 5), (1, 1)), CentreSaliency((4, 5), (1, 1))
    one.add(boxes_at([[25.0, 15]]), (40, 50))
    other.add(boxes_at([[250.0, 150], [501, 20], [float('nan'), 3], [-1, 5]]), (400, 500))
    assert one.count == other.count == 1
    torch.testing.assert_close(one.saliency(), other.saliency())


def test_blur_is_a_gaussian_that_loses_no_mass():
    values = torch.zeros(1, 41, dtype=torch.float64)
    values[0, 20] = 1
    near = blur(values, 2.0)[0]
    assert near[20 + 2] / near[20] == pytest.approx(math.exp(-0.5), rel=1e-6)
    values = torch.rand(3, 9, dtype=torch.float64)
    for sigma in (0.3, 1, 4):
        torch.testing.assert_close(blur(values, sigma).sum(1), values.sum(1))
    # Reflected: what would leave at the end comes back.
    values = torch.zeros(1, 6, dtype=torch.float64)
    values[0, 0] = 1
    assert blur(values, 1.0)[0, 0] == pytest.approx(
        (1 + math.exp(-0.5)) / (1 + 2 * sum(math.exp(-k * k / 2) for k in (1, 2, 3, 4)))
    )


def test_few_samples_ask_for_more_blur_than_many():
    generator = torch.Generator().manual_seed(0)

    def chosen(samples):
        at = 0.5 + 0.1 * torch.randn(samples, generator=generator)
        cells = (at.clamp(0, 0.999) * 50).long()
        folds = torch.stack([torch.bincount(cells[k::5], minlength=50) for k in range(5)])
        return best_blur(folds.double(), 0.1)

    assert chosen(60) > chosen(20000)


def test_the_chosen_blur_is_the_likeliest_for_held_out_images():
    folds = torch.zeros(5, 30, dtype=torch.float64)
    # Every fold sees its own neighbouring cell: without blur the others are a surprise.
    for k in range(5):
        folds[k, 12 + k] = 8
    assert best_blur(folds, 0.1) >= 1
    # The same cell in all folds: any blur makes it less likely.
    same = torch.zeros(5, 30, dtype=torch.float64)
    same[:, 12] = 8
    assert best_blur(same, 0.1) == 0.5


def test_no_boxes_give_a_uniform_map_and_bad_settings_are_refused():
    torch.testing.assert_close(CentreSaliency((2, 4)).saliency(), torch.full((2, 4), 1 / 8))
    with pytest.raises(ValueError, match='grid_shape'):
        CentreSaliency((1, 5))
    with pytest.raises(ValueError, match='sigma'):
        CentreSaliency(sigma=(0, 1))
