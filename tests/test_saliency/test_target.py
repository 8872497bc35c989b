"""A learned saliency that is taught by the labels of its images."""

import math

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData

from lzu_mm import CombinedSaliency, LearnedSaliency, TemporalSaliency
from lzu_mm.frames import source_frames
from lzu_mm.saliency.estimation.boundaries import boundary_saliency
from lzu_mm.saliency.estimation.kde import box_saliency
from lzu_mm.saliency.target import SaliencyTarget

from ..models import NECKS, PREPROCESSORS, STOCK, batch, build, stock_config, zoomed_config

SHAPE = (6, 8)


def sample_of(boxes, size=(60, 80), **metainfo):
    from mmdet.structures import DetDataSample

    sample = DetDataSample(
        metainfo={'img_path': 'a.jpg', 'ori_shape': size, 'img_shape': size, **metainfo}
    )
    sample.gt_instances = InstanceData(bboxes=torch.tensor(boxes).reshape(-1, 4))
    return sample


def loss_of(saliency, samples, sizes, **settings):
    images = [torch.zeros(3, *size) for size in sizes]
    return SaliencyTarget(**settings).loss(saliency, source_frames(images, samples), samples)


def test_a_map_that_is_its_target_costs_nothing_and_another_more():
    boxes = [[10.0, 20, 22, 30]]
    target = box_saliency(torch.tensor(boxes), (60, 80), SHAPE)[None, None]
    assert loss_of(target, [sample_of(boxes)], [(60, 80)]) == pytest.approx(0, abs=1e-6)
    uniform = torch.full((1, 1, *SHAPE), 1 / 48)
    entropy = -torch.xlogy(target, target).sum()
    expected = math.log(48) - float(entropy)
    found = loss_of(uniform, [sample_of(boxes)], [(60, 80)], loss_weight=2.0)
    assert float(found) == pytest.approx(2 * expected, rel=1e-5)


def test_the_gradient_at_the_logits_is_the_map_less_the_target():
    boxes = [[[10.0, 20, 22, 30]], [[50.0, 5, 70, 40]]]
    logits = torch.randn(2, 48, requires_grad=True)
    saliency = logits.softmax(dim=1)
    samples = [sample_of(own) for own in boxes]
    loss_of(saliency.view(2, 1, *SHAPE), samples, [(60, 80)] * 2).backward()
    targets = torch.stack(
        [box_saliency(torch.tensor(own), (60, 80), SHAPE).flatten() for own in boxes]
    )
    torch.testing.assert_close(logits.grad, (saliency.detach() - targets) / 2)


def test_an_image_without_boxes_is_to_be_looked_at_evenly():
    uniform = torch.full((1, 1, *SHAPE), 1 / 48)
    assert loss_of(uniform, [sample_of([])], [(60, 80)]) == pytest.approx(0, abs=1e-6)


def test_a_resized_and_padded_image_has_the_target_of_its_original():
    boxes = torch.tensor([[10.0, 20, 22, 30]])
    half = sample_of((boxes / 2).tolist(), (60, 80), img_shape=(30, 40), scale_factor=(0.5, 0.5))
    target = box_saliency(boxes, (60, 80), SHAPE)[None, None]
    # Padded from 30x40 to 32x64: the map is that of the content.
    assert loss_of(target, [half], [(32, 64)]) == pytest.approx(0, abs=1e-6)


def test_boundaries_of_the_content_teach_a_segmentor():
    from mmseg.structures import SegDataSample

    labels = torch.zeros(1, 60, 80, dtype=torch.long)
    labels[..., 30:] = 1
    padded = torch.full((1, 64, 96), 255)
    padded[:, :60, :80] = labels
    sample = SegDataSample(
        metainfo={'ori_shape': (60, 80), 'scale_factor': (1.0, 1.0), 'img_path': 'a.png'}
    )
    sample.gt_sem_seg = PixelData(data=padded)
    target = boundary_saliency(labels[0], SHAPE)[None, None]
    found = loss_of(target, [sample], [(64, 96)], kind='boundaries')
    assert found == pytest.approx(0, abs=1e-6)


def test_first_the_target_teaches_and_then_the_task():
    saliency = dict(type='lzu_mm.LearnedSaliency', target=dict(until=0.5))
    config = zoomed_config(
        stock_config('retinanet'), 'retinanet', dict(scale=0.5, saliency=saliency)
    )
    model = build(dict(config, _scope_='mmdet'))
    data = batch('retinanet', [(96, 160)])
    head = model.data_preprocessor.saliency.head.weight
    hub = MessageHub.get_instance('target')
    hub.update_info('max_iters', 100)
    for step, teaches in ((0, True), (49, True), (50, False), (99, False)):
        hub.update_info('iter', step)
        losses = model(**model.data_preprocessor(data, True), mode='loss')
        own = losses.pop('loss_saliency', None)
        assert (own is not None) == teaches
        task, _ = model.parse_losses(losses)
        (gradient,) = torch.autograd.grad(task, head, allow_unused=True)
        assert bool(gradient is None or not gradient.any()) == teaches
        if own is not None:
            assert torch.autograd.grad(own, head)[0].any()


@pytest.mark.parametrize(
    ('family', 'kind'), [('retinanet', 'boxes'), ('fcos3d', 'boxes'), ('pspnet', 'boundaries')]
)
def test_the_loss_joins_those_of_stock_models(family, kind):
    saliency = dict(type='lzu_mm.LearnedSaliency', target=dict(kind=kind))
    config = zoomed_config(stock_config(family), family, dict(scale=0.5, saliency=saliency))
    model = build(dict(config, _scope_=STOCK[family][0]))
    data = batch(family, [(96, 160), (96, 160)])
    inputs = model.data_preprocessor(data, True)
    losses = model(**inputs, mode='loss')
    total, log = model.parse_losses(losses)
    images = data['inputs']['img'] if family == 'fcos3d' else data['inputs']
    module = model.data_preprocessor.saliency
    expected = module.losses(module(images, None, True), images, data['data_samples'])
    assert float(log['loss_saliency']) == pytest.approx(float(expected['loss_saliency']), rel=1e-5)
    others = sum(float(v) for name, v in log.items() if 'loss' in name and name != 'loss')
    assert float(total) == pytest.approx(others, rel=1e-5)
    with pytest.raises(RuntimeError, match='loss of the saliency'):
        model.loss(torch.zeros(2, 3, 48, 80), inputs['data_samples'])


def test_a_taught_map_finds_the_boxes_and_the_copy_of_a_model_is_taught_as_well():
    import copy

    saliency = dict(type='lzu_mm.LearnedSaliency', target=dict(bandwidth=16, loss_weight=10.0))
    zoom = dict(scale=0.5, method='equalise', saliency=saliency)
    config = zoomed_config(stock_config('retinanet'), 'retinanet', zoom)
    model = copy.deepcopy(build(dict(config, _scope_='mmdet')))
    data = batch('retinanet', [(96, 160), (96, 160)])
    module = model.data_preprocessor.saliency
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    seen = []
    for _ in range(30):
        losses = model(**model.data_preprocessor(data, True), mode='loss')
        seen.append(float(losses['loss_saliency']))
        optimizer.zero_grad()
        model.parse_losses(losses)[0].backward()
        optimizer.step()
    assert seen[-1] < 0.5 * seen[0]


@pytest.mark.parametrize(
    ('target', 'words'),
    [
        ('boxes', 'saliency.target takes a dict'),
        (dict(kinds='boxes'), 'saliency.target takes a dict'),
        (dict(kind='objects'), 'saliency.target.kind'),
        (dict(loss_weight=-1), 'saliency.target.loss_weight'),
        (dict(until=0), 'saliency.target.until'),
        (dict(bandwidth=math.nan), 'saliency.target.bandwidth'),
    ],
)
def test_wrong_settings_are_refused(target, words):
    with pytest.raises(ValueError, match=words):
        LearnedSaliency(target=target)


def test_labels_of_the_other_kind_are_named():
    with pytest.raises(ValueError, match=r"needs gt_sem_seg, which a.jpg lacks.*'boxes'"):
        loss_of(torch.ones(1, 1, *SHAPE), [sample_of([])], [(60, 80)], kind='boundaries')


def test_a_target_where_nobody_would_ask_for_its_loss_is_refused():
    member = dict(type='lzu_mm.LearnedSaliency', target=dict())
    with pytest.raises(ValueError, match=r'saliency.members cannot have a target'):
        CombinedSaliency([member])
    with pytest.raises(ValueError, match=r'saliency.prior cannot have a target'):
        TemporalSaliency(prior=member)
    zoom = dict(scale=0.5, saliency=member)
    stock_config('retinanet')
    with DefaultScope.overwrite_default_scope('mmdet'), pytest.raises(
        ValueError, match='one config'
    ):
        MODELS.build(dict(type=PREPROCESSORS['retinanet'], zoom=zoom))
    branches = dict(
        type='MultiBranchDataPreprocessor',
        data_preprocessor=dict(type=PREPROCESSORS['retinanet'], zoom=zoom),
    )
    config = dict(zoomed_config(stock_config('retinanet'), 'retinanet', zoom), neck=None)
    config.update(data_preprocessor=branches, neck=NECKS['retinanet'])
    with pytest.raises(ValueError, match='MultiBranchDataPreprocessor have'):
        build(dict(config, _scope_='mmdet'))
