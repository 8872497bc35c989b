import math

import pytest
import torch

from lzu_mm.saliency.estimation.kde import BoxSaliency, box_saliency


def reference(boxes, image_size, grid_shape, bandwidth=64, amplitude=1):
    """FOVEA's formula, cell by cell."""
    (height, width), (rows, columns) = image_size, grid_shape
    floor = 1 / (2 * (min(grid_shape) - 1) + 1) ** 2
    total = torch.zeros(grid_shape, dtype=torch.float64)
    for x1, y1, x2, y2 in boxes:
        kernel = torch.zeros(grid_shape, dtype=torch.float64)
        for i in range(rows):
            for j in range(columns):
                dx = (j + 0.5) * width / columns - (x1 + x2) / 2
                dy = (i + 0.5) * height / rows - (y1 + y2) / 2
                kernel[i, j] = math.exp(
                    -0.5 * (dx**2 / (bandwidth * (x2 - x1)) + dy**2 / (bandwidth * (y2 - y1)))
                )
        total += amplitude * kernel / (1e-5 + kernel.sum()) + floor
    return total / total.sum()


def random_boxes(count, height, width):
    corners = torch.rand(count, 2, 2, dtype=torch.float64) * torch.tensor([width, height])
    low, high = corners.amin(1), corners.amax(1)
    return torch.cat((low, high + 2), 1)


@pytest.mark.parametrize(
    ('grid_shape', 'bandwidth', 'amplitude'), [((5, 7), 64, 1), ((6, 4), 20, 2.5)]
)
def test_against_the_formula(grid_shape, bandwidth, amplitude):
    boxes = random_boxes(9, 300, 480)
    saliency = box_saliency(boxes, (300, 480), grid_shape, bandwidth, amplitude)
    expected = reference(boxes.tolist(), (300, 480), grid_shape, bandwidth, amplitude)
    torch.testing.assert_close(saliency, expected, rtol=1e-12, atol=1e-15)
    single = box_saliency(boxes.float(), (300, 480), grid_shape, bandwidth, amplitude)
    torch.testing.assert_close(single, expected.float(), rtol=1e-5, atol=1e-7)


def test_by_hand():
    # Cells of 100 px centred at 50, 150; a box of 8x8 px on the first: variance 64 * 8 = 512.
    saliency = box_saliency(torch.tensor([[46.0, 46, 54, 54]]), (200, 200), (2, 2))
    side = math.exp(-0.5 * 100**2 / 512)
    kernel = [1, side, side, side**2]
    values = [k / (1e-5 + sum(kernel)) + 1 / 9 for k in kernel]
    assert saliency.flatten().tolist() == pytest.approx([v / sum(values) for v in values])


def test_no_boxes_are_uniform():
    saliency = box_saliency(torch.zeros(0, 4), (300, 480), (5, 7))
    torch.testing.assert_close(saliency, torch.full((5, 7), 1 / 35))


def test_boxes_without_extent_count_as_a_pixel():
    point = torch.tensor([[100.0, 50, 100, 50]])
    pixel = torch.tensor([[99.5, 49.5, 100.5, 50.5]])
    assert torch.equal(box_saliency(point, (100, 200)), box_saliency(pixel, (100, 200)))


@pytest.mark.parametrize(
    'useless',
    [
        [math.nan, 0, 10, 10],
        [0, 0, math.inf, 10],
        [-20, 0, -5, 10],
        [200, 0, 210, 10],
        [0, 100, 10, 120],
        [0, -9, 10, 0],
    ],
)
def test_boxes_outside_the_image_or_not_finite_are_left_out(useless):
    good = [20.0, 30, 50, 60]
    alone = box_saliency(torch.tensor([good]), (100, 200), (5, 7))
    torch.testing.assert_close(
        box_saliency(torch.tensor([good, useless]), (100, 200), (5, 7)), alone
    )
    uniform = box_saliency(torch.tensor([useless]), (100, 200), (5, 7))
    torch.testing.assert_close(uniform, torch.full((5, 7), 1 / 35))


def test_boxes_reaching_over_the_border_stay_as_they_are():
    box = [-40.0, 30, 20, 60]
    expected = reference([box], (100, 200), (5, 7)).float()
    torch.testing.assert_close(box_saliency(torch.tensor([box]), (100, 200), (5, 7)), expected)


def test_half_precision_boxes_are_computed_in_float32():
    boxes = random_boxes(5, 300, 480).half()
    saliency = box_saliency(boxes, (300, 480))
    assert saliency.dtype == torch.float32
    torch.testing.assert_close(saliency, box_saliency(boxes.float(), (300, 480)))


def test_gradients_reach_boxes_bandwidth_and_amplitude():
    boxes = random_boxes(3, 60, 90).requires_grad_()
    bandwidth = torch.tensor(30.0, dtype=torch.float64, requires_grad=True)
    amplitude = torch.tensor(1.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *inputs: box_saliency(inputs[0], (60, 90), (3, 4), *inputs[1:]),
        (boxes, bandwidth, amplitude),
    )


def test_accumulating_is_one_estimate_over_all_boxes():
    boxes = random_boxes(11, 300, 480)
    parts = BoxSaliency((5, 7), 40, 1.5)
    for part in boxes.split([4, 0, 7]):
        parts.add(part, (300, 480))
    assert parts.count == 11
    expected = reference(boxes.tolist(), (300, 480), (5, 7), 40, 1.5).float()
    torch.testing.assert_close(parts.saliency(), expected)


def test_accumulating_nothing_is_uniform():
    parts = BoxSaliency((4, 5))
    torch.testing.assert_close(parts.saliency(), torch.full((4, 5), 1 / 20))


def test_images_of_other_sizes_share_cells():
    box = torch.tensor([[0.0, 0, 20, 20]])
    parts = BoxSaliency((3, 3))
    parts.add(box, (60, 60))
    parts.add(box * 2, (120, 120))
    saliency = parts.saliency()
    assert saliency.argmax() == 0
    torch.testing.assert_close(saliency, saliency.T)


@pytest.mark.parametrize(
    ('change', 'name'),
    [
        ({'boxes': torch.zeros(4)}, 'boxes'),
        ({'boxes': torch.zeros(2, 5)}, 'boxes'),
        ({'image_size': (0, 10)}, 'image_size'),
        ({'grid_shape': (1, 10)}, 'grid_shape'),
        ({'bandwidth': 0}, 'bandwidth'),
        ({'amplitude': -1}, 'amplitude'),
    ],
)
def test_bad_input_is_named(change, name):
    arguments = {'boxes': torch.zeros(1, 4), 'image_size': (10, 10), **change}
    with pytest.raises(ValueError, match=name):
        box_saliency(**arguments)
