"""Real frames through the stock pipelines and the zoom, with the authors' saliency map."""

import copy

import numpy as np
import pytest
import torch
from mmengine import dump, load
from mmengine.dataset import Compose
from mmengine.registry import MODELS

from ..models import UNIFORM, scoped

SIZE = (225, 400)


@pytest.fixture
def nuscenes(shared_data, tmp_path):
    """The frame as the stock training pipeline packs it, and its 47 annotated objects."""
    scoped('mmdet3d')
    from mmdet3d.datasets import NuScenesDataset

    folder = shared_data / 'nuscenes_frame'
    infos = load(str(folder / 'infos.pkl'))
    info = infos['data_list'][0]
    front = info['images']['CAM_FRONT']
    info['images'] = {'CAM_FRONT': dict(front, img_path=next(folder.glob('*.jpg')).name)}
    info['cam_instances'] = {'CAM_FRONT': info['cam_instances']['CAM_FRONT']}
    ann_file = str(tmp_path / 'infos.pkl')
    dump(infos, ann_file)
    pipeline = [
        dict(type='LoadImageFromFileMono3D'),
        dict(
            type='LoadAnnotations3D',
            with_bbox=True,
            with_label=True,
            with_attr_label=True,
            with_bbox_3d=True,
            with_label_3d=True,
            with_bbox_depth=True,
        ),
        dict(type='mmdet.Resize', scale=(1600, 900), keep_ratio=True),
        dict(
            type='Pack3DDetInputs',
            keys=[
                'img',
                'gt_bboxes',
                'gt_bboxes_labels',
                'attr_labels',
                'gt_bboxes_3d',
                'gt_labels_3d',
                'centers_2d',
                'depths',
            ],
        ),
    ]
    dataset = NuScenesDataset(
        data_root=str(folder),
        ann_file=ann_file,
        data_prefix=dict(pts='', CAM_FRONT=''),
        load_type='mv_image_based',
        modality=dict(use_lidar=False, use_camera=True),
        box_type_3d='Camera',
        use_valid_flag=True,
        pipeline=pipeline,
    )
    packed = dataset[0]
    return {'inputs': {'img': [packed['inputs']['img']]}, 'data_samples': [packed['data_samples']]}


def preprocess(kind, data, shared_data, training=True, **zoom):
    saliency = dict(
        type='lzu_mm.FixedSaliency', path=str(shared_data / 'nuscenes_saliency_27x48.npy')
    )
    zoom = {'saliency': saliency, 'size': SIZE, **zoom}
    stock = dict(size=(512, 1024)) if kind == 'SegDataPreProcessor' else {}
    module = MODELS.build(dict(type=f'lzu_mm.Zoom{kind}', zoom=zoom, **stock))
    return module, module(copy.deepcopy(data), training)


def project(centers, cam2img):
    pixels = centers @ np.asarray(cam2img, dtype=np.float64)[:3, :3].T
    return pixels[:, :2] / pixels[:, 2:]


def test_nuscenes_boxes_project_onto_their_scaled_centres(nuscenes, shared_data):
    _, output = preprocess('Det3DDataPreprocessor', nuscenes, shared_data)
    sample = output['data_samples'][0]
    instances = sample.gt_instances_3d
    assert len(instances) == 47
    projected = project(instances.bboxes_3d.gravity_center.double().numpy(), sample.cam2img)
    found = instances.centers_2d.double().numpy()
    assert np.abs(projected - found).max() < 0.5
    original = nuscenes['data_samples'][0].gt_instances_3d.centers_2d.double().numpy()
    assert np.abs(found - original / 4).max() < 1e-3


def test_the_authors_map_magnifies_the_nuscenes_horizon(nuscenes, shared_data):
    module, output = preprocess('Det3DDataPreprocessor', nuscenes, shared_data)
    centres = nuscenes['data_samples'][0].gt_instances_3d.centers_2d
    points = (centres / torch.tensor([1600.0, 900.0]))[None]
    inside = ((points > 0.02) & (points < 0.98)).all(dim=-1)[0]
    step = torch.tensor([0.0, 0.01])
    warp = module.link.batch.warp
    magnification = (warp.to_zoomed(points + step) - warp.to_zoomed(points - step))[0, :, 1] / 0.02
    assert magnification[inside].mean() > 1.5
    # What unzooms back is the resized frame, as far as the zoomed one kept it.
    _, uniform = preprocess('Det3DDataPreprocessor', nuscenes, shared_data, saliency=UNIFORM)
    zoomed, resized = output['inputs']['imgs'], uniform['inputs']['imgs']
    grid = warp.unzoom_grid(SIZE)
    unzoomed = torch.nn.functional.grid_sample(zoomed, grid, align_corners=False)
    assert (unzoomed - resized).abs().mean() < 0.4 * (zoomed - resized).abs().mean()


def test_distant_objects_of_nuscenes_lie_at_the_horizon_of_its_intrinsics(nuscenes, shared_data):
    # The cameras of nuScenes look straight ahead.
    ahead = dict(type='lzu_mm.HorizonSaliency', pitch=0)
    module, _ = preprocess('Det3DDataPreprocessor', nuscenes, shared_data, saliency=ahead)
    sample = nuscenes['data_samples'][0]
    row = float(sample.cam2img[1][2]) / 900
    saliency = module.saliency(nuscenes['inputs']['img'], [sample], False)[0, 0]
    assert abs(int(saliency.sum(1).argmax()) + 0.5 - row * 31) <= 1

    objects = sample.gt_instances_3d
    centres = objects.centers_2d[objects.depths > 30] / torch.tensor([1600.0, 900.0])
    assert len(centres) > 10
    assert (centres[:, 1] - row).abs().max() < 0.06
    points = centres[(centres[:, 0] > 0) & (centres[:, 0] < 1)][None]
    step, warp = torch.tensor([0.0, 0.01]), module.link.batch.warp
    magnification = (warp.to_zoomed(points + step) - warp.to_zoomed(points - step))[0, :, 1] / 0.02
    assert magnification.min() > 1.5


def test_cityscapes_frame_keeps_its_labels_in_place(shared_data):
    scoped('mmseg')
    folder = shared_data / 'cityscapes_frame'
    name = 'frankfurt_000000_000294'
    results = dict(
        img_path=str(folder / 'leftImg8bit/val/frankfurt' / f'{name}_leftImg8bit.png'),
        seg_map_path=str(folder / 'gtFine/val/frankfurt' / f'{name}_gtFine_labelTrainIds.png'),
        seg_fields=[],
        reduce_zero_label=False,
    )
    pipeline = Compose(
        [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    )
    packed = pipeline(results)
    data = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
    _, output = preprocess('SegDataPreProcessor', data, shared_data, size=(64, 128))
    labels = output['data_samples'][0].gt_sem_seg.data[0].numpy()
    original = packed['data_samples'].gt_sem_seg.data[0].numpy()
    assert output['inputs'].shape[-2:] == (64, 128)
    # Every label is one of the four pixels of its cell.
    cells = original.reshape(64, 2, 128, 2)
    assert (labels[:, None, :, None] == cells).any(axis=(1, 3)).all()
