"""Predictions come home once, whatever becomes of them, from stock models with known heads."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData

from ..models import STOCK, batch, build, scoped, stock_config, zoomed_config

SOURCE, SIZE = (96, 160), (48, 80)
RATIO = SOURCE[1] / SIZE[1]


@pytest.fixture
def fixed(tmp_path):
    saliency = np.full((9, 12), 0.2, dtype=np.float32)
    saliency[2:4, 8:10] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))


def model_of(family, fixed, **settings):
    scope = STOCK[family][0]
    scoped(scope)
    zoom = dict(size=SIZE, saliency=fixed, attraction_fwhm=4, **settings)
    neck = settings.get('labels') != 'warped'
    config = zoomed_config(stock_config(family), family, zoom, neck=neck)
    return build(dict(config, _scope_=scope)).eval()


def data_of(family, count=1):
    data = batch(family, [SOURCE] * count)
    if family != 'fcos3d':
        for sample in data['data_samples']:
            sample.set_metainfo(dict(ori_shape=SOURCE, scale_factor=(1.0, 1.0)))
    return data


def copies(sample):
    """A sample, and all that users and evaluators make of one."""
    return [
        sample,
        sample.cpu(),
        sample.to('cpu').numpy().to_tensor(),
        sample.clone(),
        copy.deepcopy(sample),
        pickle.loads(pickle.dumps(sample)).cpu(),
        sample.new(),
    ]


BOXES = torch.tensor([[20.0, 10, 60, 50], [5, 30, 30, 40]])


@pytest.fixture
def monocular(fixed):
    """FCOS3D whose head finds BOXES in the image, in pixels of the zoomed one, as PGD does."""
    model = model_of('fcos3d', fixed)
    seen = []

    def predict(features, samples, **kwargs):
        seen.append([sample.cam2img for sample in samples])
        found = InstanceData(bboxes=BOXES / RATIO, scores=torch.ones(2))
        nothing = InstanceData(scores_3d=torch.ones(2))
        return [copy.deepcopy(nothing) for _ in samples], [copy.deepcopy(found) for _ in samples]

    model.bbox_head.predict = predict
    return model, seen


def test_monocular_predictions_come_home_once(monocular):
    model, seen = monocular
    data = data_of('fcos3d', 2)
    inputs = model.data_preprocessor(copy.deepcopy(data))
    zoomed = np.array(data['data_samples'][0].cam2img)
    zoomed[:2] /= RATIO
    # The same batch again, as benchmarks do it.
    for _ in range(2):
        results = model(**inputs, mode='predict')
        np.testing.assert_allclose(seen[-1][0], zoomed, rtol=1e-6)
        for result, source in zip(results, data['data_samples']):
            for sample in copies(result):
                torch.testing.assert_close(sample.pred_instances.bboxes, BOXES)
                assert sample.cam2img == source.cam2img
                assert sample.img_shape == SOURCE
                assert type(sample) is type(source)
            assert result.to_dict()['pred_instances']['bboxes'].tolist() == BOXES.tolist()
            result.pred_instances = result.pred_instances
            assert result.pred_instances.bboxes.tolist() == BOXES.tolist()
    for result in model.test_step(data):
        torch.testing.assert_close(result.pred_instances.bboxes, BOXES)
    assert 'pred_instances' not in data['data_samples'][0]


def test_a_copied_model_brings_home_by_its_own_warps(monocular):
    model, _ = monocular
    twin = copy.deepcopy(model)
    assert twin.predict.link is twin.data_preprocessor.link
    assert twin.predict.bring_home.__self__ is twin.data_preprocessor
    assert twin.predict.predict.__self__ is twin
    assert (
        twin.test_step(data_of('fcos3d'))[0].cam2img == data_of('fcos3d')['data_samples'][0].cam2img
    )


@pytest.fixture
def warped(fixed):
    """RetinaNet and a head that finds BOXES and their masks in the zoomed image."""
    model = model_of('retinanet', fixed, labels='warped')
    preprocessor = model.data_preprocessor

    def predict(features, samples, rescale=True):
        results = []
        warp = preprocessor.link.batch.warp
        for sample in samples:
            corners = (BOXES.reshape(1, -1, 2) / torch.tensor(SOURCE[::-1])).float()
            found = warp.to_zoomed(corners)[0] * torch.tensor(SIZE[::-1])
            found = found.reshape(-1, 4)
            size = SOURCE if rescale else SIZE
            if rescale:
                found = found / torch.tensor(sample.scale_factor).repeat(2)
            masks = F.grid_sample(painted()[None].float(), warp.zoom_grid(size), mode='nearest',
                                  align_corners=False)[0] > 0.5  # fmt: skip
            results.append(InstanceData(bboxes=found, scores=torch.ones(2), masks=masks))
        return results

    model.bbox_head.predict = predict
    return model


def painted():
    masks = torch.zeros(len(BOXES), *SOURCE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, BOXES.int().tolist()):
        mask[y1:y2, x1:x2] = True
    return masks


def overlap(one, other):
    return float((one & other).sum() / (one | other).sum())


def test_warped_boxes_and_masks_come_home_once(warped):
    results = warped.test_step(data_of('retinanet', 2))
    for result in results:
        for sample in copies(result):
            found = sample.pred_instances
            torch.testing.assert_close(found.bboxes, BOXES, rtol=0, atol=1e-2)
            assert found.masks.dtype == torch.bool
            for mask, expected in zip(found.masks, painted()):
                assert overlap(mask, expected) > 0.9
        kept = InstanceData(bboxes=result.pred_instances.bboxes[:1])
        result.pred_instances = kept
        torch.testing.assert_close(result.pred_instances.bboxes, BOXES[:1], rtol=0, atol=1e-2)


def test_warped_predictions_that_are_not_rescaled_lie_in_the_zoomed_size(warped):
    inputs = warped.data_preprocessor(data_of('retinanet'))
    for arguments in ({'rescale': False}, {'rescale': True}):
        (result,) = warped.predict(inputs['inputs'], inputs['data_samples'], **arguments)
        factor = 1 if arguments['rescale'] else 1 / RATIO
        torch.testing.assert_close(result.pred_instances.bboxes, BOXES * factor, rtol=0, atol=1e-2)
        masks = result.pred_instances.masks.float()
        expected = F.interpolate(painted()[None].float(), masks.shape[-2:], mode='area')[0]
        for mask, one in zip(masks, expected):
            assert overlap(mask > 0.5, one > 0.5) > 0.85


def test_predictions_of_images_that_nobody_zoomed_are_refused(warped):
    inputs = warped.data_preprocessor(data_of('retinanet'))
    with pytest.raises(RuntimeError, match=r'way home.*model\.data_preprocessor'):
        warped.predict(inputs['inputs'] + 1, inputs['data_samples'])


def test_a_preprocessor_that_is_handed_over_paves_the_way_when_it_runs(fixed):
    scoped('mmdet')
    config = zoomed_config(stock_config('retinanet'), 'retinanet', {}, neck=False)
    zoom = dict(size=SIZE, saliency=fixed, labels='warped')
    config.data_preprocessor.update(zoom=zoom)
    preprocessor = MODELS.build(config.data_preprocessor)
    model = build(dict(config, data_preprocessor=preprocessor, _scope_='mmdet')).eval()
    model.test_step(data_of('retinanet'))
    assert model.predict.link is preprocessor.link
    before = model.predict
    model.test_step(data_of('retinanet'))
    assert model.predict is before


def test_a_segmentor_of_one_class_keeps_its_threshold(fixed):
    scoped('mmseg')
    config = stock_config('pspnet')
    config.decode_head.update(num_classes=2, out_channels=1, threshold=0.3, loss_decode=dict(
        type='CrossEntropyLoss', use_sigmoid=True))  # fmt: skip
    config.auxiliary_head = None
    zoom = dict(size=SIZE, saliency=fixed, attraction_fwhm=4, labels='warped')
    model = build(dict(zoomed_config(config, 'pspnet', zoom, neck=False), _scope_='mmseg')).eval()
    truth = torch.linspace(-4, 4, SOURCE[1]).expand(1, 1, *SOURCE)

    def predict(inputs, metas, cfg):
        warp = model.data_preprocessor.link.batch.warp
        return F.grid_sample(truth, warp.zoom_grid(SOURCE), align_corners=False)

    model.decode_head.predict = predict
    (result,) = model.test_step(data_of('pspnet'))
    inside = (slice(None), slice(2, -2), slice(2, -2))
    expected = truth[0].sigmoid()
    torch.testing.assert_close(result.seg_logits.data[inside], expected[inside], rtol=0, atol=0.02)
    assert torch.equal(result.pred_sem_seg.data, (result.seg_logits.data > 0.3).float())


def test_panoptic_maps_come_home(warped):
    (sample,) = warped.data_preprocessor(data_of('retinanet'))['data_samples']
    warp = warped.data_preprocessor.link.batch.warp
    truth = (painted()[0] * 7 + painted()[1] * 2000)[None]
    seen = F.grid_sample(truth[None].double(), warp.zoom_grid(SOURCE).double(), mode='nearest',
                         align_corners=False)[0].long()  # fmt: skip
    sample.pred_panoptic_seg = PixelData(sem_seg=seen)
    (journey,) = warped.data_preprocessor.link.batch.journeys
    warped.data_preprocessor.bring_home(sample, journey, True, warped)
    assert (sample.pred_panoptic_seg.sem_seg == truth).float().mean() > 0.98
    assert (seen == truth).float().mean() < 0.97
