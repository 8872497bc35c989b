"""Labels through the warp and predictions back through it (LZ, FOVEA, LDS)."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData

from lzu_mm.data_preprocessors.warped import ContentWarp, unzoom_logits

from ..models import UNIFORM, batch, build, come_home, losses, scoped, stock_config, zoomed_config

SOURCE, SIZE = (60, 90), (30, 45)


@pytest.fixture
def zoom(tmp_path):
    saliency = np.full((9, 12), 0.2, dtype=np.float32)
    saliency[2:4, 8:10] = 3
    np.save(tmp_path / 'map.npy', saliency)
    fixed = dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))
    return dict(size=SIZE, saliency=fixed, attraction_fwhm=4, labels='warped')


def preprocessor(zoom, kind='Det'):
    name = {'Det': 'ZoomDetDataPreprocessor', 'Seg': 'ZoomSegDataPreProcessor'}[kind]
    extra = dict(size=SOURCE) if kind == 'Seg' else {}
    return MODELS.build(dict(type=f'lzu_mm.{name}', zoom=zoom, **extra))


def detection_batch(count=2):
    data = batch('retinanet', [SOURCE] * count)
    for sample in data['data_samples']:
        sample.set_metainfo(dict(ori_shape=SOURCE, scale_factor=(1.0, 1.0)))
    return data


@pytest.mark.parametrize('separable', [True, False])
@pytest.mark.parametrize('box_type', [torch.Tensor, HorizontalBoxes])
def test_boxes_lie_on_what_they_lay_on(zoom, separable, box_type):
    """The corners of a box, painted into the image, are found at the box of the zoomed image."""
    module = preprocessor(dict(zoom, size=SOURCE, separable=separable))
    data = detection_batch(1)
    y, x = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(90) + 0.5, indexing='ij')
    data['inputs'] = [torch.stack((x, y, x * 0))]
    boxes = data['data_samples'][0].gt_instances.bboxes.clamp(max=55)
    if box_type is HorizontalBoxes:
        data['data_samples'][0].gt_instances.bboxes = HorizontalBoxes(boxes)
    else:
        data['data_samples'][0].gt_instances.bboxes = boxes
    output = module(data, True)
    mapped = output['data_samples'][0].gt_instances.bboxes
    # Pixel centres stand at 0.5, 1.5, …: sample the coordinates painted there.
    corners = mapped.reshape(-1, 2) / torch.tensor([90, 60]) * 2 - 1
    found = F.grid_sample(output['inputs'][:, :2], corners[None, None], align_corners=False)
    torch.testing.assert_close(found[0, :, 0].T.reshape(-1, 4), boxes, rtol=0, atol=0.3)
    assert (mapped - boxes).abs().max() > 3


def test_predicted_boxes_come_back(zoom):
    module = preprocessor(zoom)
    data = detection_batch()
    data['data_samples'][1].set_metainfo(dict(flip=True, flip_direction='horizontal'))
    trained = module(copy.deepcopy(data), True)['data_samples']
    tested = module(data)['data_samples']
    ratio = torch.tensor([90 / 45, 60 / 30] * 2)
    for sample, target, source in zip(tested, trained, data['data_samples']):
        assert torch.equal(sample.gt_instances.bboxes, source.gt_instances.bboxes)
        # A head that predicts its targets, and rescales them to the original size.
        boxes = target.gt_instances.bboxes * ratio
        sample.pred_instances = InstanceData(bboxes=boxes, scores=torch.ones(4))
    for sample, source in zip(come_home(module, tested), data['data_samples']):
        expected = source.gt_instances.bboxes
        torch.testing.assert_close(sample.pred_instances.bboxes, expected, rtol=0, atol=1e-3)


def test_labels_of_pixels_follow_by_nearest_neighbour(zoom):
    module = preprocessor(zoom, 'Seg')
    data = batch('pspnet', [SOURCE])
    labels = data['data_samples'][0].gt_sem_seg.data
    output = module(copy.deepcopy(data), True)['data_samples'][0]
    grid = module.link.batch.warp.zoom_grid(SIZE)[0]
    columns = ((grid[..., 0] + 1) * 45).long().clamp(0, 89)
    rows = ((grid[..., 1] + 1) * 30).long().clamp(0, 59)
    assert torch.equal(output.gt_sem_seg.data[0], labels[0, rows, columns])
    assert torch.equal(module(data)['data_samples'][0].gt_sem_seg.data, labels)


@pytest.mark.parametrize('direction', [None, 'horizontal', 'vertical'])
def test_logits_come_back(zoom, direction):
    """Logits that say where in the source they lie say so again."""
    module = preprocessor(zoom, 'Seg')
    data = batch('pspnet', [SOURCE])
    sample = data['data_samples'][0]
    sample.set_metainfo(dict(ori_shape=SOURCE, flip=bool(direction), flip_direction=direction))
    sample = module(data)['data_samples'][0]
    y, x = torch.meshgrid(torch.arange(60) / 60.0, torch.arange(90) / 90.0, indexing='ij')
    truth = torch.stack((x, y))
    dims = {None: (), 'horizontal': (-1,), 'vertical': (-2,)}[direction]
    grid = module.link.batch.warp.zoom_grid(SOURCE)
    logits = F.grid_sample(truth.flip(dims)[None], grid, align_corners=False)[0].flip(dims)
    sample.set_data(
        dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=logits.argmax(0)[None]))
    )
    (sample,) = come_home(module, [sample])
    inside = (slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(sample.seg_logits.data[inside], truth[inside], rtol=0, atol=0.01)
    assert (logits - truth)[inside].abs().max() > 0.05
    assert torch.equal(sample.pred_sem_seg.data[0], sample.seg_logits.data.argmax(0))


def test_logits_without_a_flip_are_unzoomed(zoom):
    module = preprocessor(zoom, 'Seg')
    module(batch('pspnet', [SOURCE]))
    warp = module.link.batch.warp
    logits = torch.rand(3, 20, 30)
    expected = F.grid_sample(
        logits[None], warp.unzoom_grid((20, 30)), padding_mode='border', align_corners=False
    )
    whole = ContentWarp(warp, SOURCE, SOURCE, SOURCE)
    torch.testing.assert_close(unzoom_logits(logits, whole), expected[0])


@pytest.mark.parametrize('family', ['retinanet', 'pspnet'])
def test_a_stock_model_trains_and_predicts_in_the_zoomed_frame(family, zoom):
    scope = {'retinanet': 'mmdet', 'pspnet': 'mmseg'}[family]
    scoped(scope)
    config = zoomed_config(stock_config(family), family, dict(zoom, size=(64, 96)), neck=False)
    model = build(dict(config, _scope_=scope))
    data = batch(family, [(128, 192)] * 2)
    assert all(loss.isfinite().all() for loss in losses(model, copy.deepcopy(data)).values())
    model.eval()
    with torch.no_grad():
        sample = model.test_step(data)[0]
    if family == 'pspnet':
        assert sample.pred_sem_seg.data.shape[-2:] == sample.metainfo['ori_shape']
    else:
        assert sample.pred_instances.bboxes.isfinite().all()


def test_the_unzoom_neck_leaves_features_in_the_zoomed_frame(zoom):
    scoped('mmdet')
    config = zoomed_config(stock_config('retinanet'), 'retinanet', zoom)
    model = build(dict(config, _scope_='mmdet')).eval()
    levels = model.backbone(model.data_preprocessor(detection_batch(1))['inputs'])
    for one, other in zip(model.neck(levels), model.neck.inner(levels)):
        assert torch.equal(one, other)


def test_uniform_saliency_changes_nothing(zoom):
    data = detection_batch()
    plain, warped = (
        preprocessor(dict(size=SIZE, saliency=UNIFORM, labels=labels))(copy.deepcopy(data), True)
        for labels in ('resized', 'warped')
    )
    for one, other in zip(plain['data_samples'], warped['data_samples']):
        assert torch.equal(one.gt_instances.bboxes, other.gt_instances.bboxes)


def test_what_cannot_follow_is_refused(zoom):
    with pytest.raises(ValueError, match=r'zoom\.labels'):
        preprocessor(dict(zoom, labels='bent'))
    with pytest.raises(ValueError, match='3D boxes'):
        MODELS.build(dict(type='lzu_mm.ZoomDet3DDataPreprocessor', zoom=zoom))
    data = detection_batch(1)
    module = preprocessor(zoom)
    size = data['inputs'][0].shape[1:]
    masks = BitmapMasks(np.zeros((4, *size), np.uint8), *size)
    data['data_samples'][0].gt_instances.masks = masks
    with pytest.raises(ValueError, match=r"masks.*zoom\.labels='resized'"):
        module(data, True)
