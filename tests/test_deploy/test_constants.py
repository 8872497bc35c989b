"""Folded zooms and unzooms are those of the package, in every setting."""

import pytest
import torch

from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.data_preprocessors.warped import ContentWarp
from lzu_mm.deploy.constants import folded_unzoom, folded_zoom
from lzu_mm.link import WarpLink, ZoomedBatch
from lzu_mm.necks import UnzoomNeck
from lzu_mm.warps import saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.zoom import zoomed_content

SOURCE, SIZE = (96, 140), (48, 75)
SETTINGS = [
    {},
    dict(antialias=True),
    dict(align_corners=True),
    dict(separable=False),
    dict(anti_crop=False),
    dict(method='equalise'),
]


def settings(**changes):
    return ZoomSettings(saliency=dict(type='UniformSaliency'), size=SIZE, **changes)


def warp_of(zoom, generator):
    saliency = torch.rand(1, 1, 31, 51, generator=generator) + 0.05
    return saliency_to_warp(saliency, **zoom.warp_options())


@pytest.mark.parametrize('changes', SETTINGS, ids=str)
@pytest.mark.parametrize('content', [SOURCE, (70, 140)])
def test_zoom(changes, content, generator):
    zoom = settings(**changes)
    warp = warp_of(zoom, generator)
    image = torch.randint(0, 256, (3, *SOURCE), generator=generator, dtype=torch.uint8)
    folded = folded_zoom(ContentWarp(warp, content, SOURCE, SIZE), SOURCE, SIZE, zoom)
    expected = zoom_image(image, warp, SIZE, zoom.align_corners, zoom.antialias, content)
    torch.testing.assert_close(folded(image), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize('changes', SETTINGS[:3], ids=str)
def test_plain_resizing(changes, generator):
    zoom = settings(**changes)
    image = torch.randint(0, 256, (3, *SOURCE), generator=generator, dtype=torch.uint8)
    expected = zoom_image(image, None, SIZE, zoom.align_corners, zoom.antialias)
    folded = folded_zoom(None, SOURCE, SIZE, zoom)
    torch.testing.assert_close(folded(image), expected, atol=1e-3, rtol=0)


# align_corners takes no finer frame.
@pytest.mark.parametrize(
    ('changes', 'frame'),
    [*((changes, 1) for changes in SETTINGS), *((SETTINGS[i], (2, 1.5)) for i in (0, 1, 3, 4, 5))],
    ids=str,
)
@pytest.mark.parametrize('content', [SOURCE, (70, 140)])
def test_unzoom(changes, frame, content, generator):
    zoom = settings(**changes)
    warp = warp_of(zoom, generator)
    neck = UnzoomNeck(antialias=zoom.antialias, frame=frame, link=WarpLink())
    batch = ZoomedBatch(
        warp,
        [zoomed_content(content, SOURCE, SIZE, zoom.align_corners)],
        [(1.0, 1.0)],
        (64, 96),
        zoom.align_corners,
    )
    for stride in (8, 32):
        feature = torch.randn(1, 5, 64 // stride, 96 // stride, generator=generator)
        expected = unzoom_feature(
            feature,
            warp,
            batch.content,
            batch.canvas,
            zoom.align_corners,
            zoom.antialias,
            neck.frame,
        )
        folded = folded_unzoom((feature.shape[2], feature.shape[3]), neck, batch)
        torch.testing.assert_close(folded(feature), expected, atol=1e-4, rtol=0)


def test_a_finer_frame_without_a_warp(generator):
    neck = UnzoomNeck(frame=2, link=WarpLink())
    batch = ZoomedBatch(None, [(60.0, 96.0)], [(1.0, 1.0)], (64, 96), False)
    feature = torch.randn(1, 5, 8, 12, generator=generator)
    expected = neck._unzoom(feature, batch)
    torch.testing.assert_close(folded_unzoom((8, 12), neck, batch)(feature), expected)
