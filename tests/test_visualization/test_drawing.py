import numpy as np
import pytest
import torch

from lzu_mm.visualization import (
    Labels,
    compose_panels,
    draw_labels,
    draw_saliency,
    draw_warp,
    unzoom_image,
)
from lzu_mm.visualization.warp import map_points
from lzu_mm.warps import saliency_to_warp, zoom_image

RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def warp():
    """Looks at the left: saliency falls from left to right."""
    return saliency_to_warp(torch.linspace(9, 1, 9).repeat(5, 1)[None, None])


def gray(h, w, value=100):
    return np.full((h, w, 3), value, np.uint8)


def test_heat_is_where_the_saliency_is():
    saliency = torch.zeros(4, 8)
    saliency[1, 6] = 1
    drawn = draw_saliency(gray(40, 80), saliency).astype(int)
    # INFERNO goes from black to yellow: red (last in BGR) tells how hot.
    row, column = np.unravel_index(drawn[..., 2].argmax(), drawn.shape[:2])
    assert (row // 10, column // 10) == (1, 6)
    assert drawn[35, 5, 2] < 100


def test_uniform_saliency_is_one_middling_colour():
    drawn = draw_saliency(gray(40, 80), torch.ones(4, 8))
    assert (drawn == drawn[0, 0]).all()
    peak = torch.zeros(4, 8)
    peak[2, 2] = 1
    assert drawn[0, 0, 2] < draw_saliency(gray(40, 80), peak)[..., 2].max()


def bright_columns(drawn):
    return np.flatnonzero((drawn[:, :, 0] > 150).mean(0) > 0.9)


def test_grid_without_a_warp_is_regular():
    columns = bright_columns(draw_warp(gray(60, 120), None, columns=6))
    lines = columns[np.flatnonzero(np.diff(columns, prepend=-9) > 1)]
    np.testing.assert_allclose(
        lines[(lines > 5) & (lines < 115)], np.arange(1, 6) * 20 - 0.5, atol=1
    )


def test_grid_is_dense_where_the_warp_magnifies(warp):
    drawn = draw_warp(gray(60, 240), warp, columns=12)
    columns = bright_columns(drawn)
    assert (columns < 120).sum() > (columns > 120).sum()
    # The middle line of the zoomed image lies where T puts it.
    middle = warp.to_source(torch.tensor([[[0.5, 0.5]]]))[0, 0, 0].item() * 240
    assert np.abs(columns - middle).min() < 1.5


def test_unzoom_undoes_the_zoom(warp):
    x = torch.linspace(0, 1, 160).expand(3, 120, -1)
    image = (255 * (0.5 + 0.4 * torch.sin(6 * x))).round()
    zoomed = zoom_image(image, warp, (120, 160)).permute(1, 2, 0).round().byte().numpy()
    source = image.permute(1, 2, 0).numpy()
    assert np.abs(zoomed - source).max() > 30
    assert np.abs(unzoom_image(zoomed, warp) - source).max() < 4
    assert unzoom_image(zoomed, None) is zoomed


def test_points_go_there_and_back(warp):
    points = np.random.default_rng(0).random((20, 2))
    back = map_points(map_points(points, warp), warp, inverse=True)
    np.testing.assert_allclose(back, points, atol=1e-5)


def test_outlines_fit_images_of_any_size():
    square = np.array([(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75), (0.25, 0.25)])
    for h, w in ((40, 80), (100, 100)):
        drawn = draw_labels(gray(h, w, 0), Labels([square], [1]), [RED, GREEN])
        green = drawn[..., 1] > 100
        rows, columns = np.flatnonzero(green.any(1)), np.flatnonzero(green.any(0))
        np.testing.assert_allclose((rows[0], rows[-1]), (h / 4, 3 * h / 4), atol=1)
        np.testing.assert_allclose((columns[0], columns[-1]), (w / 4, 3 * w / 4), atol=1)
        assert not drawn[..., [0, 2]].any()


def test_label_maps_tint_their_pixels_and_leave_the_unlabelled():
    label_map = np.array([[0, 1], [255, 1]])
    drawn = draw_labels(gray(20, 20), Labels(label_map=label_map), [RED, GREEN])
    assert drawn[5, 5].tolist() == [50, 50, 177]
    assert drawn[5, 15].tolist() == [50, 177, 50]
    assert drawn[15, 5].tolist() == [100, 100, 100]


def test_drawing_leaves_its_input_alone(warp):
    image = gray(30, 40)
    draw_saliency(image, torch.rand(3, 4))
    draw_warp(image, warp)
    draw_labels(image, Labels([np.array([(0.0, 0), (1, 1)])], [0]), [RED])
    assert (image == 100).all()


def test_panels_keep_proportions_and_order():
    pictures = [
        ('wide', gray(50, 100, 60)),
        ('square', gray(30, 30, 140)),
        ('last', gray(5, 10, 220)),
    ]
    sheet = compose_panels(pictures, columns=2, width=200)
    found = {}
    for value in (60, 140, 220):
        rows, columns = np.nonzero((sheet == value).all(-1))
        found[value] = (np.ptp(rows) + 1, np.ptp(columns) + 1, rows.min(), columns.min())
    assert found[60][:2] == (100, 200)
    assert found[140][:2] == (100, 100)
    assert found[220][:2] == (100, 200)
    assert found[140][2] == found[60][2]
    assert found[140][3] > 200
    assert found[220][2] > found[60][2] + 100
