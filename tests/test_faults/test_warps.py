"""The geometry at its limits: sizes of one pixel, huge maps, many threads."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu_mm.data_preprocessors import ZoomDetDataPreprocessor
from lzu_mm.warps import saliency_to_warp, unzoom_feature, zoom_image


@pytest.mark.parametrize('canvas', [(1, 1), (1, 8), (8, 1)])
@pytest.mark.parametrize('separable', [True, False])
def test_one_pixel_with_align_corners(canvas, separable):
    saliency = torch.rand(1, 1, 5, 7, requires_grad=True)
    warp = saliency_to_warp(saliency, separable=separable)
    feature = torch.rand(1, 2, *canvas, requires_grad=True)
    out = unzoom_feature(feature, warp, [canvas], canvas, align_corners=True)
    out = out + zoom_image(feature[0], warp, canvas, align_corners=True)
    out.sum().backward()
    for values in (out, feature.grad, saliency.grad):
        assert values.isfinite().all()


def test_a_huge_map_is_refused_before_memory_is_taken():
    saliency = torch.rand(1, 1, 1000, 1000)
    with pytest.raises(ValueError, match=r'1000x1000.*at most 320x320.*separable=True'):
        saliency_to_warp(saliency, separable=False)
    assert len(saliency_to_warp(saliency)) == 1
    assert 3 * 320 * 320 * 640 < 200_000_000  # the size that the message names passes


def test_an_empty_batch_is_an_error_that_says_so():
    zoom = dict(scale=0.5, saliency=dict(type='UniformSaliency'))
    with pytest.raises(ValueError, match='batch without images'):
        ZoomDetDataPreprocessor(zoom=zoom)(dict(inputs=[], data_samples=[]))


def test_grids_are_kept_by_many_threads(monkeypatch):
    warp = saliency_to_warp(torch.rand(1, 1, 5, 7))
    monkeypatch.setattr('lzu_mm.warps.base._MAX_KNOWN', 1)  # each empties what the other made
    errors = []

    def work(name):
        try:
            for i in range(3000):
                assert warp.once((name, i % 3), lambda i=i: i % 3 + 1) == i % 3 + 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 40), st.integers(2, 40), st.floats(0.01, 1e3), st.booleans(), st.booleans(),
    st.floats(1.01, 1e4), st.integers(0, 1000),
)  # fmt: skip
def test_no_settings_fold_a_warp(h, w, fwhm, anti_crop, separable, limit, seed):
    generator = torch.Generator().manual_seed(seed)
    saliency = torch.rand(1, 1, h, w, generator=generator) ** 20
    warp = saliency_to_warp(saliency, fwhm, anti_crop, separable, limit)
    points = torch.rand(1, 200, 2, generator=generator)
    back = warp.to_zoomed(warp.to_source(points))
    # Rounding in the source is magnified by the limit at most; in the plane by shear as well.
    rounding = 1e-6 if separable else 1e-5
    assert (back - points).abs().max() < 10 * rounding + limit * rounding
