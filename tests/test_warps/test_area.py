"""Area-weighted unzooming and finer frames."""

import pytest
import torch
import torch.nn.functional as F

from lzu_mm.warps import SeparableWarp, saliency_to_warp, unzoom_feature
from lzu_mm.warps.area import triangles

CANVAS = (60, 100)
CONTENTS = pytest.mark.parametrize(
    'content', [[(60, 100)], [(52, 90)], [(60, 100), (41, 77)]], ids=['whole', 'padded', 'mixed']
)


def strong_warp(batch=1):
    saliency = torch.rand(batch, 1, 9, 11, generator=torch.manual_seed(3)) ** 4
    return saliency_to_warp(saliency, method='equalise', uniform_share=0.2)


def identity(batch=1):
    return saliency_to_warp(torch.ones(batch, 1, 9, 11), method='equalise')


def level(content, stride=4, channels=3):
    h, w = (-(-n // stride) for n in CANVAS)
    return torch.randn(len(content), channels, h, w, generator=torch.manual_seed(5))


def triangle_by_loops(values, position, scale):
    """The weighted mean of values (n,) around a position."""
    n = len(values)
    position = min(max(position, 0), n - 1)
    weights = [max(1 - abs(i - position) / max(scale, 1), 0) for i in range(n)]
    return sum(w * v for w, v in zip(weights, values)) / sum(weights)


@CONTENTS
@pytest.mark.parametrize('stride', [4, 8, 16])
def test_the_identity_leaves_features_to_the_bit(content, stride):
    feature = level(content, stride)
    out = unzoom_feature(feature, identity(), content, CANVAS, antialias=True)
    assert torch.equal(out, feature)


def test_equals_a_loop_over_cells():
    warp, content = strong_warp(), [(60, 100)]
    feature = level(content)
    out = unzoom_feature(feature, warp, content, CANVAS, antialias=True)

    def place(axis, at):
        point = torch.full((1, 1, 2), 0.5)
        point[..., axis] = at
        return warp.to_zoomed(point)[0, 0, axis].item()

    def along(axis, count, values):
        cells = []
        for j in range(count):
            low, centre, high = (place(axis, (j + part) / count) for part in (0, 0.5, 1))
            cells.append(triangle_by_loops(values, centre * count - 0.5, (high - low) * count))
        return torch.stack(cells)

    expected = along(1, 15, along(0, 25, feature[0].permute(2, 1, 0)).transpose(0, 1))
    torch.testing.assert_close(out[0], expected.permute(2, 0, 1), rtol=0, atol=2e-5)


def test_weights_sum_to_one_wherever_they_are_taken():
    position = torch.tensor([[-3.0, -0.2, 0, 4.4, 9, 12]])
    weights = triangles(position, torch.tensor([[1.0, 2, 3.5, 1, 30, 2]]), 10)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 6))
    assert torch.equal(weights[0, 2, 4:], torch.zeros(6))


def test_rounding_of_the_scale_mixes_nothing_in():
    weights = triangles(torch.tensor([[2.0]]), torch.tensor([[1 + 5e-5]]), 5)
    assert torch.equal(weights, F.one_hot(torch.tensor([[2]]), 5).float())


@pytest.mark.parametrize('frame', [(1, 1), (2, 2), (2, 1), (1.5, 3)])
@pytest.mark.parametrize('separable', [True, False], ids=['separable', 'bilinear'])
@CONTENTS
def test_a_frame_lays_features_at_the_inverse_warp(frame, separable, content):
    saliency = torch.rand(1, 1, 9, 11, generator=torch.manual_seed(3)) + 0.1
    warp = saliency_to_warp(saliency, 4, separable=separable)
    feature = level(content)
    out = unzoom_feature(feature, warp, content, CANVAS, frame=frame)
    rows, columns = (round(n * f) for n, f in zip(feature.shape[2:], frame))
    assert out.shape[2:] == (rows, columns)
    for i, (h, w) in enumerate(content):
        y = (torch.arange(rows) + 0.5) * 4 / frame[0] / h
        x = (torch.arange(columns) + 0.5) * 4 / frame[1] / w
        points = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1).view(1, -1, 2)
        zoomed = warp.to_zoomed(points).view(1, rows, columns, 2) * torch.tensor([w, h])
        size = torch.tensor([feature.shape[3], feature.shape[2]]) * 4
        expected = F.grid_sample(
            feature[i : i + 1],
            2 * zoomed / size - 1,
            padding_mode='border',
            align_corners=False,
        )
        torch.testing.assert_close(out[i : i + 1], expected, rtol=1e-4, atol=1e-4)


def test_a_uniform_frame_is_bilinear_upsampling():
    feature = level([(60, 100)])
    out = unzoom_feature(feature, identity(), [(60, 100)], CANVAS, frame=(2, 2))
    expected = F.interpolate(feature, scale_factor=2, mode='bilinear', align_corners=False)
    torch.testing.assert_close(out, expected)
    by_area = unzoom_feature(feature, identity(), [(60, 100)], CANVAS, antialias=True, frame=(2, 2))
    torch.testing.assert_close(by_area, expected)


def test_features_lie_as_computed_where_the_frame_equals_the_magnification():
    # T⁻¹ has a slope of 1.6 in the middle half of x: a frame of 1.6 cells puts a cell on every cell
    # of the level there.
    edge = 0.5 - 1.6 / 4
    knots = torch.tensor([[0, edge, 0.5, 1 - edge, 1]])
    warp = SeparableWarp(knots, torch.tensor([[0.0, 1]]), of_inverse=True)
    feature = torch.randn(1, 2, 1, 50)
    out = unzoom_feature(feature, warp, [(2, 100)], (2, 100), antialias=True, frame=(1, 1.6))
    assert out.shape[-1] == 80
    # Source 25 … 75 of 100 px are cells 20 … 60 of 80, and zoomed 10 … 90 px are 5 … 45 of 50.
    torch.testing.assert_close(out[..., 21:59], feature[..., 6:44], rtol=0, atol=1e-4)


@pytest.mark.parametrize('antialias', [True, False])
def test_beyond_the_content_features_stay(antialias):
    content = [(40, 64)]
    feature = level(content)
    out = unzoom_feature(feature, strong_warp(), content, CANVAS, antialias=antialias)
    tolerance = dict(rtol=0, atol=0 if antialias else 1e-5)
    torch.testing.assert_close(out[..., 10:, :], feature[..., 10:, :], **tolerance)
    torch.testing.assert_close(out[..., 16:], feature[..., 16:], **tolerance)
    fine = unzoom_feature(
        feature, strong_warp(), content, CANVAS, antialias=antialias, frame=(2, 2)
    )
    plain = F.interpolate(feature, scale_factor=2, mode='bilinear', align_corners=False)
    torch.testing.assert_close(fine[..., 20:, :], plain[..., 20:, :], rtol=1e-4, atol=1e-4)


def test_gradients():
    content = [(8, 12)]
    saliency = torch.rand(1, 1, 4, 5, dtype=torch.float64) + 0.1
    feature = torch.randn(1, 2, 4, 6, dtype=torch.float64)

    def unzoom(saliency, feature):
        warp = saliency_to_warp(saliency, method='equalise')
        return unzoom_feature(feature, warp, content, (8, 12), antialias=True, frame=(2, 1))

    assert torch.autograd.gradcheck(
        unzoom, (saliency.requires_grad_(), feature.requires_grad_()), atol=1e-4
    )


def test_each_image_has_its_own_weights():
    content = [(60, 100), (41, 77)]
    feature, warp = level(content), strong_warp(2)
    out = unzoom_feature(feature, warp, content, CANVAS, antialias=True, frame=(2, 2))
    for i in range(2):
        own = slice(i, i + 1)
        alone = unzoom_feature(
            feature[own], warp.index(own), content[own], CANVAS, antialias=True, frame=(2, 2)
        )
        torch.testing.assert_close(out[own], alone)


def test_half_precision_comes_back_as_it_went_in():
    feature = level([(60, 100)]).bfloat16()
    out = unzoom_feature(feature, strong_warp(), [(60, 100)], CANVAS, antialias=True)
    assert out.dtype == torch.bfloat16


def test_what_cannot_be_weighed_is_refused():
    feature, content = level([(60, 100)]), [(60, 100)]
    plane = saliency_to_warp(torch.rand(1, 1, 5, 5), separable=False)
    with pytest.raises(ValueError, match='separable'):
        unzoom_feature(feature, plane, content, CANVAS, antialias=True)
    for options in (dict(antialias=True), dict(frame=(2, 2))):
        with pytest.raises(ValueError, match='align_corners=False'):
            unzoom_feature(feature, identity(), content, CANVAS, align_corners=True, **options)
