import pytest
import torch

from lzu_mm.saliency.estimation.boundaries import (
    BoundarySaliency,
    boundary_saliency,
    label_boundaries,
)


def reference(labels, ignore_index=255):
    """Pixel by pixel: one of the four neighbours carries another class."""
    h, w = labels.shape
    boundary = torch.zeros(h, w, dtype=torch.bool)
    for y in range(h):
        for x in range(w):
            for other_y, other_x in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= other_y < h and 0 <= other_x < w:
                    pair = labels[y, x].item(), labels[other_y, other_x].item()
                    boundary[y, x] |= pair[0] != pair[1] and ignore_index not in pair
    return boundary


def test_by_hand():
    labels = torch.tensor(
        [
            [0, 0, 1, 1],
            [0, 0, 1, 255],
            [0, 0, 255, 2],
            [3, 0, 0, 0],
        ]
    )
    expected = torch.tensor(
        [
            [0, 1, 1, 0],
            [0, 1, 1, 0],
            [1, 0, 0, 1],
            [1, 1, 0, 1],
        ]
    ).bool()
    assert torch.equal(label_boundaries(labels), expected)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64])
def test_against_the_definition(dtype):
    labels = torch.randint(0, 3, (13, 17)).to(dtype)
    labels[torch.rand(13, 17) < 0.2] = 255
    assert torch.equal(label_boundaries(labels), reference(labels))
    batch = torch.stack((labels, labels.flip(0)))
    assert torch.equal(label_boundaries(batch)[1], reference(labels).flip(0))


def test_another_ignore_index():
    labels = torch.tensor([[0, 7, 1], [0, 1, 1]])
    assert label_boundaries(labels, ignore_index=7).tolist() == [[0, 0, 0], [1, 1, 0]]


def test_pooling_by_hand():
    # The edge between columns 1 and 2 marks both; of a 2x3 grid over 4x6 pixels, it fills half of
    # cells 0 and 1.
    labels = torch.zeros(4, 6, dtype=torch.uint8)
    labels[:, 2:] = 1
    saliency = boundary_saliency(labels, (2, 3))
    assert saliency.tolist() == [[0.25, 0.25, 0], [0.25, 0.25, 0]]


@pytest.mark.parametrize('fill', [4, 255])
def test_no_boundaries_are_uniform(fill):
    saliency = boundary_saliency(torch.full((9, 9), fill), (3, 3))
    torch.testing.assert_close(saliency, torch.full((3, 3), 1 / 9))
    torch.testing.assert_close(BoundarySaliency((3, 3)).saliency(), torch.full((3, 3), 1 / 9))


def test_average_over_the_set():
    maps = [torch.randint(0, 4, (12, 18)) for _ in range(3)]
    whole = BoundarySaliency((3, 3))
    mean = torch.zeros(3, 3)
    for labels in maps:
        whole.add(labels)
        mean += reference(labels).float().reshape(3, 4, 3, 6).mean((1, 3)) / 3
    assert whole.count == 3
    torch.testing.assert_close(whole.saliency(), mean / mean.sum())


def test_a_map_without_boundaries_still_counts_only_once():
    edge = torch.zeros(4, 4, dtype=torch.long)
    edge[:, 2:] = 1
    whole = BoundarySaliency((2, 2))
    whole.add(edge)
    whole.add(torch.zeros(8, 8, dtype=torch.long))
    torch.testing.assert_close(whole.saliency(), boundary_saliency(edge, (2, 2)))


@pytest.mark.parametrize('labels', [torch.zeros(4, 4), torch.zeros(1, 4, 4, dtype=torch.long)])
def test_what_is_no_label_map_is_refused(labels):
    with pytest.raises(ValueError, match=r'labels are \(h, w\) integers'):
        boundary_saliency(labels)


def test_grid_must_have_two_cells_a_side():
    with pytest.raises(ValueError, match='grid_shape'):
        BoundarySaliency((1, 5))
