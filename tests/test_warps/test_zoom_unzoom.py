import pytest
import torch
import torch.nn.functional as F

from lzu_mm.warps import infer_stride, saliency_to_warp, unzoom_feature, zoom_image

KINDS = pytest.mark.parametrize('separable', [True, False], ids=['separable', 'bilinear'])


def hot_corner(batch=1):
    saliency = torch.full((batch, 1, 27, 48), 0.3)
    for i in range(batch):
        saliency[i, :, 14:17, 10 * (i + 1) : 10 * (i + 1) + 4] = 4
    return saliency


def smooth_image(h, w):
    """Coordinates and a few waves: any shift of the sampling shows."""
    y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing='ij')
    return torch.stack((x, y, torch.sin(5 * x) * torch.cos(4 * y)))


def pool(images, stride):
    return F.avg_pool2d(images, stride, ceil_mode=True, count_include_pad=False)


@KINDS
@pytest.mark.parametrize(
    ('stride', 'tolerance'),
    # What pooling blurs cannot come back; half a cell of shift is 0.08·stride on this scale.
    [(1, 0.001), (2, 0.003), (4, 0.01), (8, 0.03), (16, 0.1), (32, 0.3)],
)
def test_pooled_zoomed_image_unzooms_to_the_pooled_resized_image(separable, stride, tolerance):
    # Two odd sizes on one canvas that is a multiple of 32 and larger than both.
    sizes = [(297, 475), (281, 509)]
    canvas = (320, 512)
    warp = saliency_to_warp(hot_corner(2), separable=separable)
    zoomed, resized = torch.zeros(2, 3, *canvas), torch.zeros(2, 3, *canvas)
    for i, (h, w) in enumerate(sizes):
        image = smooth_image(2 * h, 2 * w)
        zoomed[i, :, :h, :w] = zoom_image(image, warp.index(slice(i, i + 1)), (h, w))
        resized[i, :, :h, :w] = zoom_image(image, None, (h, w))
    feature, expected = pool(zoomed, stride), pool(resized, stride)
    unzoomed = unzoom_feature(feature, warp, sizes, canvas)
    for i, (h, w) in enumerate(sizes):
        # A cell at the edge averages content with padding, or is cut by it: look inside.
        inside = (
            slice(i, i + 1),
            slice(None),
            slice(0, h // stride - 1),
            slice(0, w // stride - 1),
        )
        moved = (feature[inside] - expected[inside]).abs().mean()
        left = (unzoomed[inside] - expected[inside]).abs()
        assert left.mean() < tolerance * moved
        # In the coordinate channels, the unit is the content: less than a quarter cell anywhere.
        assert left[:, :2].max() < 0.25 * stride / min(h, w)


# With four rows of cells, the outer ones have no neighbour to interpolate with.
@pytest.mark.parametrize(('stride', 'tolerance'), [(64, 0.35), (128, 0.55)])
def test_coarse_levels_unzoom_too(stride, tolerance):
    size, canvas = (601, 961), (608, 992)
    warp = saliency_to_warp(hot_corner())
    zoomed, resized = torch.zeros(1, 3, *canvas), torch.zeros(1, 3, *canvas)
    image = smooth_image(*size)
    zoomed[0, :, :601, :961] = zoom_image(image, warp, size)
    resized[0, :, :601, :961] = zoom_image(image, None, size)
    inside = (slice(None), slice(None), slice(0, 601 // stride - 1), slice(0, 961 // stride - 1))
    feature, expected = pool(zoomed, stride)[inside], pool(resized, stride)[inside]
    unzoomed = unzoom_feature(pool(zoomed, stride), warp, [size], canvas)[inside]
    assert (unzoomed - expected).abs().mean() < tolerance * (feature - expected).abs().mean()


def test_padding_stays():
    warp = saliency_to_warp(hot_corner())
    feature = torch.rand(1, 4, 40, 64)
    unzoomed = unzoom_feature(feature, warp, [(160, 256)], (320, 512))
    torch.testing.assert_close(unzoomed[..., 21:, :], feature[..., 21:, :])
    torch.testing.assert_close(unzoomed[..., :, 33:], feature[..., :, 33:])
    assert (unzoomed - feature)[..., :19, :31].abs().mean() > 0.05


@KINDS
def test_half_precision_features_are_sampled_at_exact_places(separable):
    warp = saliency_to_warp(hot_corner(), separable=separable)
    feature = torch.rand(1, 2, 40, 64).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        unzoomed = unzoom_feature(feature, warp, [(320, 512)], (320, 512))
    exact = unzoom_feature(feature.float(), warp, [(320, 512)], (320, 512))
    assert unzoomed.dtype == torch.bfloat16
    torch.testing.assert_close(unzoomed, exact.bfloat16())


def test_gradient_reaches_the_saliency_through_zoom_and_unzoom():
    saliency = torch.rand(1, 1, 5, 7, dtype=torch.float64, requires_grad=True)
    image = torch.rand(1, 3, 17, 23, dtype=torch.float64)

    def run(s):
        warp = saliency_to_warp(s, 3)
        zoomed = zoom_image(image[0], warp, (8, 12))[None]
        return zoomed, unzoom_feature(zoomed, warp, [(8, 12)], (8, 12))

    assert torch.autograd.gradcheck(run, (saliency,))


@pytest.mark.parametrize('antialias', [True, False])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_compiles_to_one_graph(antialias, memory_format):
    def run(saliency, image):
        warp = saliency_to_warp(saliency)
        zoomed = zoom_image(image, warp, (32, 48), antialias=antialias)[None]
        zoomed = zoomed.contiguous(memory_format=memory_format)
        return unzoom_feature(zoomed, warp, [(32, 48)], (32, 48))

    saliency, image = hot_corner(), torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
    compiled = torch.compile(run, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(saliency, image), run(saliency, image))


def test_align_corners_is_the_authors_convention():
    warp = saliency_to_warp(hot_corner())
    image = smooth_image(60, 90)
    knots = torch.stack((torch.linspace(0, 1, 45), torch.zeros(45)), dim=-1)[None]
    grid = 2 * warp.to_source(knots) - 1
    top = F.grid_sample(image[None], grid[:, None], align_corners=True)[0, :, 0]
    torch.testing.assert_close(zoom_image(image, warp, (30, 45), align_corners=True)[:, 0], top)
    feature = torch.rand(1, 2, 30, 45)
    expected = F.grid_sample(feature, warp.unzoom_grid((30, 45), True), align_corners=True)
    unzoomed = unzoom_feature(feature, warp, [(240, 360)], (240, 360), align_corners=True)
    torch.testing.assert_close(unzoomed, expected, rtol=0, atol=1e-4)


def test_zoom_without_warp():
    image = torch.randint(0, 256, (3, 30, 40), dtype=torch.uint8)
    assert zoom_image(image, None, (30, 40)) is image
    half = F.interpolate(image[None].float(), size=(15, 20), mode='bilinear')[0]
    torch.testing.assert_close(zoom_image(image, None, (15, 20)), half)


@pytest.mark.parametrize(
    ('canvas', 'cells', 'stride'),
    [
        ((608, 992), (76, 124), 8),
        ((608, 992), (10, 16), 64),  # 9.5 and 15.5 cells, rounded up
        ((608, 992), (5, 8), 128),
        ((33, 65), (2, 3), 32),
        ((33, 70), (1, 2), 64),  # one cell does not tell its stride, the other axis does
        ((230, 230), (14, 14), 16),  # patches without padding, rounded down
        ((224, 224), (16, 16), 14),
    ],
)
def test_stride(canvas, cells, stride):
    assert infer_stride(canvas, cells) == (stride, stride)
