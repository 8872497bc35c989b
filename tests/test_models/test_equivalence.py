"""With uniform saliency, a zoomed model is the stock model on a uniformly resized image."""

import pytest
import torch

from ..models import (
    FAMILIES,
    STOCK,
    UNIFORM,
    batch,
    build,
    losses,
    pair,
    predictions,
    resized,
    stock_config,
    zoomed_config,
)

families = pytest.mark.parametrize('family', FAMILIES)
# Segmentors test images of one size per batch.
SIZES = {
    'retinanet': [(128, 192), (101, 187)],
    'pspnet': [(120, 184), (120, 184)],
    'fcos3d': [(96, 160), (96, 160)],
}


def assert_same(results, expected, rtol):
    assert len(results) == len(expected)
    for one, other in zip(results, expected):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].numel() > 0
            torch.testing.assert_close(one[name], other[name], rtol=rtol, atol=rtol)


@families
def test_scale_one_is_the_stock_model(family):
    stock, zoomed = pair(family, dict(scale=1.0, saliency=UNIFORM))
    data = batch(family, SIZES[family])
    assert_same([losses(zoomed, data)], [losses(stock, data)], rtol=1e-5)
    assert_same(predictions(zoomed, data), predictions(stock, data), rtol=1e-5)


@families
def test_scale_half_is_the_stock_model_on_the_resized_image(family):
    stock, zoomed = pair(family, dict(scale=0.5, saliency=UNIFORM))
    data = batch(family, SIZES[family])
    halves = [(int(h * 0.5 + 0.5), int(w * 0.5 + 0.5)) for h, w in SIZES[family]]
    small = resized(data, family, halves)
    if family == 'pspnet':
        stock.data_preprocessor.size = halves[0]
    assert_same([losses(zoomed, data)], [losses(stock, small)], rtol=1e-4)
    if family == 'fcos3d':
        # The stock model predicts in the frame of cam2img, which is the same camera.
        assert_same(predictions(zoomed, data), predictions(stock, small), rtol=1e-4)
    else:
        unlabelled = resized(data, family, halves, train=False)
        assert_same(predictions(zoomed, data), predictions(stock, unlabelled), rtol=1e-4)


@families
def test_weights_are_exchanged_with_the_stock_model(family, tmp_path):
    config = stock_config(family, small=False)
    scope = STOCK[family][0]
    stock = build(dict(config, _scope_=scope))
    zoom = dict(scale=0.5, saliency=UNIFORM)
    zoomed = build(dict(zoomed_config(config, family, zoom), _scope_=scope))
    assert list(zoomed.state_dict()) == list(stock.state_dict())
    torch.save(stock.state_dict(), tmp_path / 'stock.pth')
    zoomed.load_state_dict(torch.load(tmp_path / 'stock.pth', weights_only=True), strict=True)
    for (name, loaded), original in zip(zoomed.named_parameters(), stock.parameters()):
        assert torch.equal(loaded, original), name
    stock.load_state_dict(zoomed.state_dict(), strict=True)


@families
def test_mmengine_loads_a_stock_checkpoint(family, tmp_path):
    from mmengine.runner import load_checkpoint

    stock, zoomed = pair(family, dict(scale=0.5, saliency=UNIFORM))
    for parameter in stock.parameters():
        parameter.data += 1
    torch.save({'state_dict': stock.state_dict(), 'meta': {}}, tmp_path / 'stock.pth')
    load_checkpoint(zoomed, str(tmp_path / 'stock.pth'), strict=True)
    for loaded, original in zip(zoomed.parameters(), stock.parameters()):
        assert torch.equal(loaded, original)
