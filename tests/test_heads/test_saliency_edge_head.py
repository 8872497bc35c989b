"""The edge loss of LDS."""

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData

from lzu_mm.heads.saliency_edge_head import SaliencyEdgeHead

from ..models import batch, build, losses, scoped, stock_config, zoomed_config

LEARNED = dict(type='lzu_mm.LearnedSaliency', grid_shape=(8, 10), input_size=(32, 48))


def model(**zoom):
    scoped('mmseg')
    settings = dict(size=(64, 96), saliency=LEARNED, labels='warped', **zoom)
    config = zoomed_config(stock_config('pspnet'), 'pspnet', settings, neck=False)
    config.auxiliary_head = [config.auxiliary_head, dict(type='lzu_mm.SaliencyEdgeHead')]
    return build(dict(config, _scope_='mmseg'))


def head_of(saliency, **settings):
    """A head beside a preprocessor that has just seen this saliency."""
    module = MODELS.build(
        dict(
            type='lzu_mm.ZoomSegDataPreProcessor', size=(8, 8), zoom=dict(scale=1, saliency=LEARNED)
        )
    )
    head = SaliencyEdgeHead(link=module.link, **settings)
    module(batch('pspnet', [(8, 8)]), True)
    head.link.batch.saliency = saliency
    return head


def samples(labels):
    from mmseg.structures import SegDataSample

    return [SegDataSample(source_sem_seg=PixelData(data=labels[None]))]


def test_the_loss_is_the_error_to_the_blurred_boundaries():
    labels = torch.zeros(8, 8, dtype=torch.long)
    labels[:, 5:] = 3
    labels[0] = 255
    boundary = np.zeros((8, 8))
    boundary[1:, 4:6] = 1
    offset = np.arange(-3, 4)
    kernel = np.exp(-0.5 * offset**2.0)
    kernel /= kernel.sum()
    padded = np.pad(boundary, 3, mode='edge')
    blurred = sum(
        kernel[i] * kernel[j] * padded[i : i + 8, j : j + 8] for i in range(7) for j in range(7)
    )
    target = (blurred - blurred.min()) / (blurred.max() - blurred.min())
    saliency = torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    stretched = saliency.detach().numpy()[0, 0]
    stretched = (stretched - stretched.min()) / (stretched.max() - stretched.min())
    expected = 100 * ((stretched - target) ** 2).mean()
    loss = head_of(saliency).loss(None, samples(labels), None)['loss_edge']
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert float(
        head_of(saliency, loss_weight=1).loss(None, samples(labels), None)['loss_edge']
    ) == (pytest.approx(expected / 100, rel=1e-5))


def test_a_uniform_start_gets_a_bounded_gradient():
    saliency = torch.full((1, 1, 8, 8), 1 / 64, requires_grad=True)
    labels = torch.zeros(8, 8, dtype=torch.long)
    labels[:, 5:] = 3
    head_of(saliency).loss(None, samples(labels), None)['loss_edge'].backward()
    assert 0 < saliency.grad.abs().max() < 1e5


def test_the_saliency_of_a_segmentor_learns_its_boundaries():
    torch.manual_seed(0)
    segmentor = model()
    data = batch('pspnet', [(64, 96)] * 2)
    for sample in data['data_samples']:
        sample.gt_sem_seg.data[:] = 0
        sample.gt_sem_seg.data[:, 20:30, 40:60] = 1
    saliency = segmentor.data_preprocessor.saliency
    optimizer = torch.optim.Adam(saliency.parameters(), 3e-3)
    found = []
    for _ in range(30):
        outputs = segmentor(**segmentor.data_preprocessor(data, True), mode='loss')
        optimizer.zero_grad()
        outputs['aux_1.loss_edge'].backward()
        optimizer.step()
        found.append(float(outputs['aux_1.loss_edge']))
    assert found[-1] < 0.6 * found[0]


def test_no_weights_are_added():
    assert not any('aux' in key and 'aux_head.1' in key for key in model().state_dict())
    assert 'aux_1.loss_edge' in losses(model(), batch('pspnet', [(64, 96)] * 2))


def test_what_it_needs_is_named():
    labels = torch.zeros(8, 8, dtype=torch.long)
    with pytest.raises(ValueError, match='LearnedSaliency'):
        head_of(torch.rand(1, 1, 8, 8)).loss(None, samples(labels), None)
    saliency = torch.rand(1, 1, 8, 8, requires_grad=True)
    with pytest.raises(ValueError, match=r"zoom\.labels='warped'"):
        head_of(saliency).loss(None, batch('pspnet', [(8, 8)])['data_samples'], None)
    with pytest.raises(ValueError, match='sigma'):
        head_of(saliency, sigma=0)
    from mmseg.models import SegDataPreProcessor

    scoped('mmseg')
    config = stock_config('pspnet')
    config.auxiliary_head = dict(type='lzu_mm.SaliencyEdgeHead')
    assert config.data_preprocessor.type == SegDataPreProcessor.__name__
    with pytest.raises(RuntimeError, match='SaliencyEdgeHead found no zoom data preprocessor'):
        build(dict(config, _scope_='mmseg'))
