"""Samples follow a zoom as a uniform resize: in training all, at test the frame only."""

import copy

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from ..models import UNIFORM, batch, come_home


def preprocessor(kind, **zoom):
    zoom = {'saliency': UNIFORM, **zoom}
    return MODELS.build(dict(type=f'lzu_mm.Zoom{kind}', zoom=zoom))


@pytest.fixture
def det_data():
    sample = DetDataSample(
        metainfo=dict(img_shape=(40, 60), ori_shape=(20, 24), scale_factor=(2.5, 2.0))
    )
    mask = np.zeros((1, 40, 60), dtype=np.uint8)
    mask[0, 10:20, 30:60] = 1
    sample.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(torch.tensor([[6.0, 4, 30, 20]])),
        labels=torch.tensor([1]),
        masks=BitmapMasks(mask, 40, 60),
    )
    polygon = [[np.array([0.0, 0, 60, 0, 60, 40])]]
    sample.ignored_instances = InstanceData(
        bboxes=torch.tensor([[0.0, 8, 60, 40]]), masks=PolygonMasks(polygon, 40, 60)
    )
    sample.proposals = InstanceData(bboxes=torch.tensor([[12.0, 8, 24, 16]]))
    labels = torch.zeros(1, 40, 60, dtype=torch.uint8)
    labels[:, :, 30:] = 255
    sample.gt_sem_seg = PixelData(sem_seg=labels)
    sample.gt_sem_seg.set_metainfo(dict(ignore_index=255))
    return {'inputs': [torch.zeros(3, 40, 60, dtype=torch.uint8)], 'data_samples': [sample]}


def test_detection_labels_follow_in_training(det_data):
    output = preprocessor('DetDataPreprocessor', size=(20, 15))(det_data, True)
    sample = output['data_samples'][0]
    assert output['inputs'].shape == (1, 3, 20, 15)
    assert sample.img_shape == (20, 15)
    assert isinstance(sample.img_shape, tuple)
    assert sample.scale_factor == pytest.approx((0.625, 1.0))
    assert sample.gt_instances.bboxes.tolist() == [[1.5, 2, 7.5, 10]]
    assert sample.ignored_instances.bboxes.tolist() == [[0, 4, 15, 20]]
    assert sample.proposals.bboxes.tolist() == [[3, 4, 6, 8]]
    mask = sample.gt_instances.masks.masks[0]
    assert mask.shape == (20, 15)
    assert mask[5:10, 8:].all()
    assert mask.sum() == mask[5:10, 7:].sum()
    assert sample.ignored_instances.masks.masks[0][0].tolist() == [0, 0, 15, 0, 15, 20]
    assert sample.gt_sem_seg.sem_seg.dtype == torch.uint8
    assert sample.gt_sem_seg.sem_seg[0, 0].tolist() == [0] * 7 + [255] * 8
    assert sample.gt_sem_seg.ignore_index == 255


def test_detection_labels_stay_at_test(det_data):
    expected = copy.deepcopy(det_data['data_samples'][0])
    sample = preprocessor('DetDataPreprocessor', size=(20, 15))(det_data, False)['data_samples'][0]
    assert sample.img_shape == (20, 15)
    assert sample.scale_factor == pytest.approx((0.625, 1.0))
    assert sample.ori_shape == (20, 24)
    assert torch.equal(sample.gt_instances.bboxes, expected.gt_instances.bboxes.tensor)
    assert torch.equal(sample.ignored_instances.bboxes, expected.ignored_instances.bboxes)
    assert (sample.gt_instances.masks.masks == expected.gt_instances.masks.masks).all()
    assert torch.equal(sample.gt_sem_seg.sem_seg, expected.gt_sem_seg.sem_seg)
    # Proposals are input: the detector reads them in the frame of its image.
    assert sample.proposals.bboxes.tolist() == [[3, 4, 6, 8]]


@pytest.mark.parametrize('training', [True, False])
def test_the_callers_batch_is_left_alone(det_data, training):
    before = copy.deepcopy(det_data)
    preprocessor('DetDataPreprocessor', size=(20, 15))(det_data, training)
    sample, original = det_data['data_samples'][0], before['data_samples'][0]
    assert sample.metainfo == original.metainfo
    assert torch.equal(sample.gt_instances.bboxes.tensor, original.gt_instances.bboxes.tensor)
    assert torch.equal(sample.proposals.bboxes, original.proposals.bboxes)
    assert torch.equal(sample.gt_sem_seg.sem_seg, original.gt_sem_seg.sem_seg)
    assert sample.gt_instances.masks.masks.shape == (1, 40, 60)
    assert det_data['inputs'][0].shape == (3, 40, 60)


def test_images_of_mixed_sizes_and_a_missing_scale_factor():
    data = batch('retinanet', [(40, 60), (30, 80)])
    del data['data_samples'][0].scale_factor
    output = preprocessor('DetDataPreprocessor', scale=0.5)(data, True)
    assert output['inputs'].shape == (2, 3, 20, 40)
    first, second = output['data_samples']
    assert (first.img_shape, second.img_shape) == ((20, 30), (15, 40))
    assert first.scale_factor == pytest.approx((0.5, 0.5))
    assert second.scale_factor == pytest.approx((0.625, 0.75))


@pytest.mark.parametrize('inputs', ['list', 'tensor'])
def test_no_samples(inputs):
    images = [torch.randint(0, 255, (3, 40, 60), dtype=torch.uint8) for _ in range(2)]
    data = {'inputs': torch.stack(images) if inputs == 'tensor' else images}
    output = preprocessor('DetDataPreprocessor', scale=0.5)(data)
    assert output['inputs'].shape == (2, 3, 20, 30)
    assert output['data_samples'] is None


def seg_data(size, count=1):
    samples = []
    for _ in range(count):
        sample = SegDataSample(
            metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1, 1))
        )
        labels = torch.arange(size[1]).expand(1, *size).long()
        sample.gt_sem_seg = PixelData(data=labels)
        sample.gt_edge_map = PixelData(data=labels % 2)
        samples.append(sample)
    return {
        'inputs': [torch.zeros(3, *size, dtype=torch.uint8) for _ in range(count)],
        'data_samples': samples,
    }


def seg_preprocessor(**kwargs):
    return MODELS.build(
        dict(
            type='lzu_mm.ZoomSegDataPreProcessor',
            zoom=dict(saliency=UNIFORM, size=(2, 4)),
            **kwargs,
        )
    )


def test_semantic_maps_follow_in_training():
    output = seg_preprocessor(size=(512, 1024))(seg_data((4, 8)), True)
    # Nearest to the centres of 4 cells over 8: 1, 3, 5, 7.
    sample = output['data_samples'][0]
    assert sample.gt_sem_seg.data[0, 0].tolist() == [1, 3, 5, 7]
    assert sample.gt_edge_map.data[0, 0].tolist() == [1, 1, 1, 1]
    assert sample.gt_sem_seg.data.dtype == torch.long


def test_batch_size_of_stock_configs_follows_the_zoom():
    module = seg_preprocessor(size=(512, 1024), test_cfg=dict(size=(512, 1024)))
    assert module(seg_data((4, 8)), True)['inputs'].shape == (1, 3, 2, 4)
    assert module(seg_data((4, 8)), False)['inputs'].shape == (1, 3, 2, 4)
    # A zoom that keeps the size leaves the stock padding as it is.
    assert module(seg_data((2, 4)), True)['inputs'].shape == (1, 3, 512, 1024)


def test_semantic_maps_stay_at_test():
    sample = seg_preprocessor(size=(512, 1024))(seg_data((4, 8)), False)['data_samples'][0]
    assert sample.gt_sem_seg.data.shape == (1, 4, 8)
    assert sample.img_shape == (2, 4)
    # Stock heads resize their logits to pad_shape, then to ori_shape.
    assert sample.pad_shape == (2, 4)
    assert sample.ori_shape == (4, 8)
    assert type(sample.img_shape) is tuple


@pytest.mark.parametrize('kind', ['list', 'array', 'tensor'])
def test_mono3d_labels_and_camera_follow_in_training(kind):
    data = batch('fcos3d', [(40, 80)])
    sample = data['data_samples'][0]
    cam2img = np.array([[64.0, 0, 40, 8], [0, 64, 20, 4], [0, 0, 1, 0], [0, 0, 0, 1]])
    kinds = {'list': cam2img.tolist(), 'array': cam2img, 'tensor': torch.from_numpy(cam2img)}
    sample.set_metainfo(dict(cam2img=kinds[kind]))
    output = preprocessor('Det3DDataPreprocessor', size=(30, 40))(data, True)
    zoomed = output['data_samples'][0]
    expected = [[32, 0, 20, 4], [0, 48, 15, 3], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert np.asarray(zoomed.cam2img).tolist() == expected
    assert type(zoomed.cam2img) is type(kinds[kind])
    ratio = torch.tensor([0.5, 0.75])
    instances, original = zoomed.gt_instances_3d, sample.gt_instances_3d
    torch.testing.assert_close(instances.centers_2d, original.centers_2d * ratio)
    torch.testing.assert_close(
        zoomed.gt_instances.bboxes, sample.gt_instances.bboxes * ratio.repeat(2)
    )
    assert torch.equal(instances.depths, original.depths)
    assert torch.equal(instances.bboxes_3d.tensor, original.bboxes_3d.tensor)
    assert zoomed.scale_factor == (1.0, 1.0)
    assert zoomed.img_shape == (30, 40)


def test_mono3d_labels_stay_at_test_and_the_camera_returns_with_the_predictions():
    data = batch('fcos3d', [(40, 80)])
    sample = data['data_samples'][0]
    module = preprocessor('Det3DDataPreprocessor', size=(30, 40))
    zoomed = module(data, False)['data_samples'][0]
    assert torch.equal(zoomed.gt_instances.bboxes, sample.gt_instances.bboxes)
    assert torch.equal(zoomed.gt_instances_3d.centers_2d, sample.gt_instances_3d.centers_2d)
    assert zoomed.cam2img[0][0] == pytest.approx(32)
    zoomed.pred_instances_3d = InstanceData()
    zoomed.pred_instances = InstanceData(bboxes=torch.tensor([[10.0, 15, 20, 30]]))
    (home,) = come_home(module, [zoomed])
    assert home.cam2img == sample.cam2img
    assert home.img_shape == sample.img_shape
    assert home.pred_instances.bboxes.tolist() == [[20, 20, 40, 40]]
    # The sample that was predicted from can be predicted from again.
    assert zoomed.cam2img[0][0] == pytest.approx(32)


def test_what_leads_to_the_feature_map_follows_in_place_of_the_camera():
    # SMOKE: a pixel (x, y) of the image as it was taken lies in the feature map's cell trans_mat @.
    data = batch('fcos3d', [(40, 80)])
    camera = data['data_samples'][0].cam2img
    quarter = np.array([[0.25, 0, 1], [0, 0.25, 2], [0, 0, 1]], np.float32)
    data['data_samples'][0].set_metainfo(dict(trans_mat=quarter))
    output = preprocessor('Det3DDataPreprocessor', size=(30, 40))(data, False)
    (zoomed,) = output['data_samples']
    assert zoomed.cam2img == camera
    assert zoomed.trans_mat.dtype == np.float32
    assert zoomed.trans_mat.tolist() == [[0.125, 0, 0.5], [0, 0.1875, 1.5], [0, 0, 1]]
    data['data_samples'][0].set_metainfo(dict(trans_mat=[quarter, 2 * quarter]))
    output = preprocessor('Det3DDataPreprocessor', size=(30, 40))(data, False)
    assert output['data_samples'][0].trans_mat[1][1] == [0, 0.375, 3]


def test_multi_view_input_is_refused():
    data = {'inputs': {'img': [torch.zeros(6, 3, 40, 60)]}, 'data_samples': None}
    with pytest.raises(ValueError, match='mv_image_based'):
        preprocessor('Det3DDataPreprocessor', scale=0.5)(data)
