"""What is broken in one image is named with its file; and what cannot be warped, beforehand."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from ..models import FAMILIES, PREPROCESSORS, STOCK, UNIFORM, batch, scoped

SIZE = (60, 90)


def preprocessor_of(family):
    scoped(STOCK[family][0])
    size = dict(size=SIZE) if family == 'pspnet' else {}
    zoom = dict(scale=0.5, saliency=UNIFORM)
    return MODELS.build(dict(type=PREPROCESSORS[family], zoom=zoom, **size))


def break_box(sample):
    sample.gt_instances.bboxes[1, 2] = float('nan')


def break_shape(sample):
    sample.gt_instances.bboxes = torch.zeros(len(sample.gt_instances), 5)


def break_masks(sample):
    from mmdet.structures.mask import BitmapMasks

    count = len(sample.gt_instances)
    sample.gt_instances.masks = BitmapMasks(np.zeros((count, 30, 40), np.uint8), 30, 40)


def break_map(sample):
    sample.gt_sem_seg = type(sample.gt_sem_seg)(data=sample.gt_sem_seg.data[:, 5:])


def metainfo(**update):
    return lambda sample: sample.set_metainfo(update)


METAINFO = [
    (metainfo(scale_factor=(1.0, float('nan'))), 'scale_factor'),
    (metainfo(scale_factor=(1.0, 0.5, 2.0)), 'scale_factor'),
    (metainfo(ori_shape=(0, 90)), 'ori_shape'),
    (metainfo(flip=True, flip_direction='sideways'), 'flip_direction'),
]
CASES = [
    *((family, fault, named) for family in FAMILIES for fault, named in METAINFO),
    ('retinanet', break_box, r'gt_instances\.bboxes\[1\]'),
    ('retinanet', break_shape, r'gt_instances\.bboxes has the shape \(4, 5\)'),
    ('retinanet', break_masks, r'gt_instances\.masks are of \(30, 40\)'),
    ('pspnet', break_map, r'gt_sem_seg is of \(55, 90\), but the image of \(60, 90\)'),
    ('fcos3d', break_box, r'gt_instances\.bboxes\[1\]'),
    ('fcos3d', metainfo(cam2img=[[1.0, 0.0], [0.0, 1.0]]), 'cam2img'),
]


@pytest.mark.parametrize(('family', 'fault', 'named'), CASES)
def test_the_file_of_a_broken_image_is_named(family, fault, named):
    preprocessor = preprocessor_of(family)
    data = batch(family, [SIZE] * 2)
    for name, sample in zip(('whole.png', 'broken.png'), data['data_samples']):
        sample.set_metainfo(dict(img_path=name))
    preprocessor(copy.deepcopy(data), True)
    fault(data['data_samples'][1])
    with pytest.raises(ValueError, match=rf'^broken\.png: {named}'):
        preprocessor(data, True)


@pytest.mark.parametrize('fault', [break_box, break_masks])
def test_labels_are_not_looked_at_in_tests(fault):
    data = batch('retinanet', [SIZE])
    fault(data['data_samples'][0])
    preprocessor_of('retinanet')(data)


def test_a_label_file_of_another_size_is_named_behind_the_stock_pipeline(tmp_path):
    init_default_scope('mmseg')
    cv2.imwrite(str(tmp_path / 'image.png'), np.zeros((*SIZE, 3), np.uint8))
    cv2.imwrite(str(tmp_path / 'labels.png'), np.zeros((30, 90), np.uint8))
    transforms = [dict(type=t) for t in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
    item = Compose(transforms)(
        dict(
            img_path=str(tmp_path / 'image.png'),
            seg_map_path=str(tmp_path / 'labels.png'),
            reduce_zero_label=False,
            seg_fields=[],
        )
    )
    data = {key: [value] for key, value in item.items()}
    with pytest.raises(ValueError, match=r'image\.png: gt_sem_seg is of \(30, 90\)'):
        preprocessor_of('pspnet')(data, True)


@pytest.mark.parametrize(
    'name',
    ['mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py'],
)
def test_masks_of_a_stock_pipeline_are_refused_when_the_model_is_built(name, tmp_path):
    scoped('mmdet')
    cfg = Config.fromstring(f"_base_ = ['mmdet::{name}']", '.py')
    zoom = dict(scale=0.5, saliency=UNIFORM, labels='warped')
    cfg.model.data_preprocessor.update(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom)
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ValueError, match=r'with_mask=False.*train_dataloader'):
        Runner.from_cfg(cfg)
