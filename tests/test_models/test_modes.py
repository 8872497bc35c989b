"""Zoomed models work wherever stock models do."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import MODELS

from ..models import FAMILIES, batch, losses, pair, predictions

families = pytest.mark.parametrize('family', FAMILIES)
SIZE = (96, 160)


@pytest.fixture
def fixed(tmp_path):
    saliency = np.full((15, 25), 0.2, dtype=np.float32)
    saliency[5:8, 16:20] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))


@pytest.fixture
def zoom(fixed):
    return dict(scale=0.5, saliency=fixed, attraction_fwhm=6)


def total(values):
    return sum(value.sum() for value in values.values())


def features(model, data):
    """Mode tensor: what the head computes, flattened."""
    outputs = model(**model.data_preprocessor(data), mode='tensor')
    flat = []

    def collect(value):
        if isinstance(value, torch.Tensor):
            flat.append(value.detach())
        else:
            for part in value:
                collect(part)

    collect(outputs)
    return flat


@families
def test_loss_reaches_every_parameter_and_predictions_come_back(family, zoom):
    stock, zoomed = pair(family, zoom)
    data = batch(family, [SIZE, SIZE])
    zoomed.train()
    zoomed.zero_grad()
    outputs = zoomed(**zoomed.data_preprocessor(data, True), mode='loss')
    loss, _ = zoomed.parse_losses(outputs)
    assert loss.isfinite()
    loss.backward()
    for (name, parameter), twin in zip(zoomed.named_parameters(), stock.parameters()):
        if twin.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    zoomed.eval()
    for sample, source in zip(zoomed.test_step(data), data['data_samples']):
        if family == 'pspnet':
            assert sample.pred_sem_seg.shape == source.ori_shape
        elif family == 'retinanet':
            # Boxes are clipped to the image: in original coordinates they reach its edges.
            limit = torch.tensor(source.ori_shape[::-1]).repeat(2)
            boxes = sample.pred_instances.bboxes
            assert (boxes <= limit + 1e-2).all()
            assert (boxes.amax(dim=0) > 0.9 * limit)[2:].all()
        else:
            assert sample.cam2img == source.cam2img
            assert len(sample.pred_instances_3d) > 0
    assert features(zoomed, data)


@families
def test_unzoom_matters(family, zoom):
    stock, zoomed = pair(family, zoom)
    data = batch(family, [SIZE])
    inputs = zoomed.data_preprocessor(data)
    one = zoomed.extract_feat(inputs['inputs'])
    other = stock.extract_feat(inputs['inputs'])
    level = -1 if family == 'pspnet' else 0
    assert (one[level] - other[level]).abs().max() > 1e-2 * other[level].abs().max()


@pytest.mark.parametrize('family', ['retinanet', 'fcos3d'])
def test_images_of_a_mixed_batch_do_not_touch_each_other(family, zoom):
    _, zoomed = pair(family, zoom)
    data = batch(family, [SIZE, (80, 128)])
    swapped = copy.deepcopy(data)
    images = swapped['inputs']['img'] if family == 'fcos3d' else swapped['inputs']
    images.reverse()
    swapped['data_samples'].reverse()
    for one, other in zip(features(zoomed, data), features(zoomed, swapped)):
        torch.testing.assert_close(one, other.flip(0))
        assert (one[0] - one[1]).abs().max() > 1e-4


@pytest.mark.parametrize('family', ['retinanet', 'pspnet'])
def test_flip_tta(family, zoom):
    _, zoomed = pair(family, zoom)
    data = batch(family, [SIZE])
    image, sample = data['inputs'][0], data['data_samples'][0]
    sample.set_metainfo(dict(flip=False, flip_direction=None, img_path=''))
    mirrored = copy.deepcopy(sample)
    mirrored.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    views = {
        'inputs': [[image], [image.flip(-1)]],
        'data_samples': [[sample], [mirrored]],
    }
    kinds = {'retinanet': 'DetTTAModel', 'pspnet': 'SegTTAModel'}
    options = {}
    if family == 'retinanet':
        nms = dict(type='nms', iou_threshold=0.5)
        options = dict(tta_cfg=ConfigDict(nms=nms, max_per_img=100))
    tta = MODELS.build(dict(type=kinds[family], module=zoomed, **options))
    merged = tta.test_step(views)
    assert len(merged) == 1
    if family == 'pspnet':
        assert merged[0].pred_sem_seg.shape == sample.ori_shape
    else:
        limit = torch.tensor(sample.ori_shape[::-1]).repeat(2)
        assert 0 < len(merged[0].pred_instances) <= 100
        assert (merged[0].pred_instances.bboxes <= limit + 1e-2).all()


@families
def test_ema_copies_see_their_own_batches(family, zoom):
    _, zoomed = pair(family, zoom)
    averaged = ExponentialMovingAverage(zoomed, momentum=0.5)
    first, second = batch(family, [SIZE], seed=1), batch(family, [SIZE, SIZE], seed=2)
    expected = features(zoomed, second)
    inputs = averaged.module.data_preprocessor(second)
    zoomed.data_preprocessor(first)
    outputs = averaged.module(**inputs, mode='tensor')
    while not isinstance(outputs, torch.Tensor):
        outputs = outputs[0]
    assert torch.equal(outputs, expected[0])
    averaged.update_parameters(zoomed)
    names = [name.removeprefix('module.') for name in averaged.state_dict() if name != 'steps']
    assert names == list(zoomed.state_dict())


@families
def test_amp_trains_close_to_single_precision(family, zoom):
    _, zoomed = pair(family, zoom)
    data = batch(family, [SIZE, SIZE])
    exact = total(losses(zoomed, copy.deepcopy(data)))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = zoomed(**zoomed.data_preprocessor(data, True), mode='loss')
    loss, _ = zoomed.parse_losses(outputs)
    loss.backward()
    gradients = [p.grad for p in zoomed.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    cast = total({k: torch.as_tensor(sum(v) if isinstance(v, list) else v).detach()
                  for k, v in outputs.items() if 'loss' in k})  # fmt: skip
    assert cast == pytest.approx(float(exact), rel=0.1)


@families
def test_gradient_checkpointing_gives_the_same_gradients(family, zoom):
    _, zoomed = pair(family, zoom)
    data = batch(family, [SIZE])
    gradients = []
    for with_cp in (False, True):
        zoomed.zero_grad()
        for module in zoomed.backbone.modules():
            if hasattr(module, 'with_cp'):
                module.with_cp = with_cp
        torch.manual_seed(0)  # dropout
        outputs = zoomed(**zoomed.data_preprocessor(copy.deepcopy(data), True), mode='loss')
        zoomed.parse_losses(outputs)[0].backward()
        gradients.append([p.grad.clone() for p in zoomed.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 0
    for plain, checkpointed in zip(*gradients):
        torch.testing.assert_close(checkpointed, plain)


@families
def test_compiled_forward_is_eager_forward(family, zoom):
    _, zoomed = pair(family, zoom)
    batches = [batch(family, [SIZE, SIZE], seed=seed) for seed in (1, 2)]
    if family != 'fcos3d':
        # Another warp for the second batch: the first must not be baked in.
        batches[1]['data_samples'][0].set_metainfo(dict(flip=True, flip_direction='horizontal'))
    expected = [features(zoomed, data) for data in batches]
    zoomed.forward = torch.compile(zoomed.forward, backend='aot_eager')
    for data, eager in zip(batches, expected):
        for one, other in zip(features(zoomed, data), eager):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_neck_compiles_to_one_graph(zoom):
    _, zoomed = pair('retinanet', zoom)
    inputs = zoomed.data_preprocessor(batch('retinanet', [SIZE]))['inputs']
    levels = zoomed.backbone(inputs)
    expected = zoomed.neck(levels)
    compiled = torch.compile(zoomed.neck, fullgraph=True, backend='aot_eager')
    for one, other in zip(compiled(levels), expected):
        torch.testing.assert_close(one, other)


@families
def test_two_zoomed_models_in_turn(family, zoom, fixed):
    _, one = pair(family, zoom)
    _, two = pair(family, dict(scale=0.75, saliency=fixed, separable=False))
    data = batch(family, [SIZE])
    alone = predictions(one, copy.deepcopy(data))
    inputs = one.data_preprocessor(copy.deepcopy(data))
    predictions(two, copy.deepcopy(data))
    together = one(**inputs, mode='predict')
    for sample, expected in zip(together, alone):
        if family == 'pspnet':
            assert torch.equal(sample.seg_logits.data, expected['logits'])
        elif family == 'retinanet':
            assert torch.equal(sample.pred_instances.bboxes, expected['boxes'])
        else:
            assert torch.equal(sample.pred_instances_3d.bboxes_3d.tensor, expected['boxes'])


@families
def test_tensor_mode_without_a_preprocessed_batch(family, zoom, recwarn):
    stock, zoomed = pair(family, zoom)
    image = torch.rand(1, 3, 64, 96)
    inputs = {'imgs': image} if family == 'fcos3d' else image
    for _ in range(2):
        outputs = zoomed(inputs, None, mode='tensor')
    expected = stock(inputs, None, mode='tensor')
    while not isinstance(outputs, torch.Tensor):
        outputs, expected = outputs[0], expected[0]
    assert torch.equal(outputs, expected)
    assert len([w for w in recwarn if 'UnzoomNeck' in str(w.message)]) == 1
