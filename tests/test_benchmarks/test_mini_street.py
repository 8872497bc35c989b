"""The rendered street data sets: read by stock libraries, exact, reproducible, kept."""

import json
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'benchmarks' / 'make_mini_street.py'
CAMERAS = (
    'CAM_FRONT',
    'CAM_FRONT_RIGHT',
    'CAM_FRONT_LEFT',
    'CAM_BACK',
    'CAM_BACK_LEFT',
    'CAM_BACK_RIGHT',
)
# labelIds to labelTrainIds of the official label table.
OFFICIAL = {
    7: 0,
    8: 1,
    11: 2,
    12: 3,
    13: 4,
    17: 5,
    19: 6,
    20: 7,
    21: 8,
    22: 9,
    23: 10,
    24: 11,
    25: 12,
    26: 13,
    27: 14,
    28: 15,
    31: 16,
    32: 17,
    33: 18,
}


def tool(*args):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, args)], capture_output=True, text=True
    )


def contents(folder):
    """Every file below a folder with its bytes."""
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file()
    }


# ------------------------------------------------------------------------------ Argoverse-HD


@pytest.fixture(params=('train', 'val'))
def argoverse(mini_street, request):
    path = mini_street / 'argoverse_hd' / 'Argoverse-HD' / 'annotations' / f'{request.param}.json'
    return path, json.loads(path.read_text())


def test_argoverse_layout(mini_street, argoverse):
    _, data = argoverse
    names = [c['name'] for c in data['categories']]
    assert names == [
        'person',
        'bicycle',
        'car',
        'motorcycle',
        'bus',
        'truck',
        'traffic_light',
        'stop_sign',
    ]
    assert len(data['sequences']) == len(data['seq_dirs']) >= 2
    assert data['coco_mapping'] == [0, 1, 2, 3, 5, 7, 9, 11]
    previous = None
    for image in data['images']:
        assert 'file_name' not in image
        root = mini_street / 'argoverse_hd' / 'Argoverse-1.1' / 'tracking'
        picture = cv2.imread(str(root / data['seq_dirs'][image['sid']] / image['name']))
        assert picture.shape == (image['height'], image['width'], 3) == (1200, 1920, 3)
        if previous is None or image['sid'] != previous['sid']:
            assert image['fid'] == 0
        else:
            assert image['fid'] == previous['fid'] + 1
        previous = image


def test_argoverse_objects_move_between_frames(argoverse):
    _, data = argoverse
    image = {i['id']: i for i in data['images']}
    tracks = {}
    for a in data['annotations']:
        i = image[a['image_id']]
        tracks.setdefault((i['sid'], a['track'], a['category_id']), {})[i['fid']] = a['bbox']
    steps = [
        np.hypot(b[1][0] - b[0][0], b[1][1] - b[0][1]) for b in tracks.values() if 0 in b and 1 in b
    ]
    assert len(steps) > 20
    assert any(0 < s < 60 for s in steps)
    # Neighbouring frames are close, which a detector that looks where it looked before relies on.
    assert np.median(steps) < 25


def test_argoverse_small_objects_crowd_at_the_horizon(mini_street):
    folder = mini_street / 'argoverse_hd' / 'Argoverse-HD' / 'annotations'
    files = [json.loads((folder / f'{split}.json').read_text()) for split in ('train', 'val')]
    boxes = np.array([a['bbox'] for data in files for a in data['annotations']])
    area, middle = boxes[:, 2] * boxes[:, 3], (boxes[:, 1] + boxes[:, 3] / 2) / 1200
    small = area < 48**2
    assert small.mean() > 0.5
    assert np.mean(np.abs(middle[small] - 0.5) < 0.1) > 0.9


def test_argoverse_truth_scores_full_ap(argoverse):
    from mmdet.evaluation import CocoMetric

    path, data = argoverse
    classes = tuple(c['name'] for c in data['categories'])
    metric = CocoMetric(ann_file=str(path), metric='bbox')
    metric.dataset_meta = {'classes': classes}
    for image in data['images']:
        own = [a for a in data['annotations'] if a['image_id'] == image['id']]
        boxes = torch.tensor([a['bbox'] for a in own], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        prediction = {
            'bboxes': boxes,
            'scores': torch.linspace(0.9, 0.99, len(own)),
            'labels': torch.tensor([a['category_id'] for a in own]),
        }
        metric.process(
            {}, [{'img_id': image['id'], 'ori_shape': (1200, 1920), 'pred_instances': prediction}]
        )
    result = metric.evaluate(len(data['images']))
    assert result['coco/bbox_mAP'] > 0.99


def test_no_two_frames_share_a_name(mini_street):
    names = [path.name for path in (mini_street / 'argoverse_hd').rglob('*.jpg')]
    assert len(set(names)) == len(names) > 0


# ------------------------------------------------------------------------------ Cityscapes


def test_cityscapes_labels_follow_the_official_table(mini_street):
    table = np.full(256, 255, np.uint8)
    table[list(OFFICIAL)] = list(OFFICIAL.values())
    found = set()
    for path in sorted((mini_street / 'cityscapes' / 'gtFine').rglob('*_labelIds.png')):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        train = cv2.imread(str(path).replace('_labelIds', '_labelTrainIds'), cv2.IMREAD_UNCHANGED)
        assert ids.shape == (1024, 2048)
        np.testing.assert_array_equal(table[ids], train)
        found |= set(np.unique(train))
    # All that this world has, train (16) and a few rare ones are not asked for.
    assert found >= {0, 1, 2, 5, 6, 7, 8, 10, 11, 12, 13, 14, 17, 18}


def test_cityscapes_truth_scores_full_miou(mini_street):
    from mmseg.datasets import CityscapesDataset
    from mmseg.evaluation import IoUMetric

    root = mini_street / 'cityscapes'
    dataset = CityscapesDataset(
        data_root=str(root),
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')],
        test_mode=True,
    )
    metric = IoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = dataset.metainfo
    table = np.full(256, 255, np.int64)
    table[list(OFFICIAL)] = list(OFFICIAL.values())
    for i in range(len(dataset)):
        sample = dataset[i]
        assert sample['img'].shape == (1024, 2048, 3)
        ids = cv2.imread(
            sample['seg_map_path'].replace('_labelTrainIds', '_labelIds'), cv2.IMREAD_UNCHANGED
        )
        metric.process(
            {},
            [
                {
                    'pred_sem_seg': {'data': torch.tensor(table[ids])[None]},
                    'gt_sem_seg': {
                        'data': torch.tensor(sample['gt_seg_map'].astype(np.int64))[None]
                    },
                }
            ],
        )
    assert len(dataset) >= 4
    assert metric.evaluate(len(dataset))['mIoU'] > 99.9


def test_cityscapes_labels_lie_on_what_is_seen(mini_street):
    """The sky is brighter than the road below it, and edges of labels are edges of the picture."""
    for path in sorted((mini_street / 'cityscapes' / 'leftImg8bit' / 'train').rglob('*.png')):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32)
        name = (
            str(path)
            .replace('leftImg8bit', 'gtFine', 1)
            .replace('_leftImg8bit', '_gtFine_labelTrainIds')
        )
        label = cv2.imread(name, cv2.IMREAD_UNCHANGED)
        if (label == 10).sum() > 1000:
            assert picture[label == 10].mean() > picture[label == 0].mean()
        contrast = np.abs(np.diff(cv2.GaussianBlur(picture, (0, 0), 0.7), axis=1))
        seam = np.diff(label.astype(int), axis=1) != 0
        assert contrast[seam].mean() > 5 * contrast[~seam].mean()


# ------------------------------------------------------------------------------ nuScenes


@pytest.fixture(scope='module')
def devkit(mini_street):
    from nuscenes import NuScenes

    return NuScenes('v1.0-mini', dataroot=str(mini_street / 'nuscenes'), verbose=False)


def infos(mini_street, split):
    return pickle.loads((mini_street / 'nuscenes' / f'nuscenes_infos_{split}.pkl').read_bytes())


def stock_dataset(mini_street):
    from mmdet3d.datasets import NuScenesDataset

    return NuScenesDataset(
        data_root=str(mini_street / 'nuscenes'),
        ann_file='nuscenes_infos_val.pkl',
        load_type='mv_image_based',
        box_type_3d='Camera',
        modality=dict(use_camera=True, use_lidar=False),
        use_valid_flag=True,
        test_mode=True,
        data_prefix={name: f'samples/{name}' for name in CAMERAS},
        metainfo=dict(version='v1.0-mini'),
    )


def test_nuscenes_scenes_are_those_of_the_devkit(devkit, mini_street):
    from nuscenes.utils.splits import mini_train, mini_val

    names = {scene['name'] for scene in devkit.scene}
    assert set(mini_val) <= names <= set(mini_val) | set(mini_train)
    for split, allowed in (('train', mini_train), ('val', mini_val)):
        for info in infos(mini_street, split)['data_list']:
            sample = devkit.get('sample', info['token'])
            assert devkit.get('scene', sample['scene_token'])['name'] in allowed
            for name in CAMERAS:
                path = Path(devkit.get_sample_data_path(sample['data'][name]))
                assert path.name == info['images'][name]['img_path']
                assert cv2.imread(str(path)).shape == (900, 1600, 3)


@pytest.mark.parametrize('split', ('train', 'val'))
def test_nuscenes_infos_equal_those_of_the_stock_converter(devkit, mini_street, split):
    from mmdet3d.datasets.convert_utils import get_nuscenes_2d_boxes

    seen = 0
    for info in infos(mini_street, split)['data_list']:
        for name in CAMERAS:
            token = info['images'][name]['sample_data_token']
            theirs = get_nuscenes_2d_boxes(devkit, token, visibilities=['', '1', '2', '3', '4'])
            ours = info['cam_instances'][name]
            assert len(ours) == len(theirs)
            for a, b in zip(ours, theirs):
                assert set(a) == set(b)
                for key in a:
                    np.testing.assert_allclose(a[key], b[key], rtol=1e-4, atol=0.02, err_msg=key)
                seen += 1
    assert seen > 100


def test_nuscenes_centres_project_with_cam2img(mini_street):
    for info in infos(mini_street, 'val')['data_list']:
        for name in CAMERAS:
            matrix = np.array(info['images'][name]['cam2img'])
            for o in info['cam_instances'][name]:
                x, y, z = matrix @ o['bbox_3d'][:3]
                np.testing.assert_allclose(
                    [x / z, y / z, z], [*o['center_2d'], o['depth']], rtol=1e-6
                )


def test_nuscenes_both_frames_of_a_box_agree(mini_street):
    """Boxes in lidar coordinates, taken to the camera, are the camera's boxes."""
    for info in infos(mini_street, 'val')['data_list']:
        image = info['images']['CAM_FRONT']
        matrix = np.array(image['lidar2cam'])
        centres = (
            np.array([o['bbox_3d'][:3] for o in info['instances']]) @ matrix[:3, :3].T
            + matrix[:3, 3]
        )
        for o in info['cam_instances']['CAM_FRONT']:
            assert np.linalg.norm(centres - o['bbox_3d'][:3], axis=1).min() < 1e-4


def test_nuscenes_has_all_ten_classes(mini_street):
    count = Counter(
        o['bbox_label']
        for info in infos(mini_street, 'val')['data_list']
        for o in info['instances']
    )
    assert set(count) == set(range(10))


def test_nuscenes_truth_scores_high_nds(mini_street, monkeypatch):
    from mmdet3d.evaluation import NuScenesMetric

    if not torch.cuda.is_available():
        # The stock metric moves boxes to a GPU before its NMS; there is none.
        monkeypatch.setattr(torch.Tensor, 'cuda', lambda self, *args, **kwargs: self)
    dataset = stock_dataset(mini_street)
    metric = NuScenesMetric(
        data_root=str(mini_street / 'nuscenes'),
        ann_file=str(mini_street / 'nuscenes' / 'nuscenes_infos_val.pkl'),
    )
    metric.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        truth = info['eval_ann_info']
        boxes = truth['gt_bboxes_3d']
        labels = torch.tensor(truth['gt_labels_3d'])
        prediction = dict(
            bboxes_3d=boxes,
            labels_3d=labels,
            scores_3d=torch.full((len(boxes),), 0.9),
            attr_labels=torch.tensor(truth['attr_labels']).reshape(-1),
        )
        metric.process(
            {},
            [
                {
                    'pred_instances_3d': prediction,
                    'pred_instances': {},
                    'sample_idx': info['sample_idx'],
                }
            ],
        )
    result = metric.evaluate(len(dataset))
    prefix = 'NuScenes metric/pred_instances_3d_NuScenes'
    assert result[f'{prefix}/NDS'] > 0.9
    assert result[f'{prefix}/mAP'] > 0.9
    assert result[f'{prefix}/mAVE'] < 0.1


def test_nuscenes_pictures_lie_inside_the_boxes():
    """The pixels of an object lie within the outline of its projected 3D box."""
    from mini_street.nuscenes import CAMERAS as LENSES
    from mini_street.nuscenes import _size
    from mini_street.nuscenes_infos import _camera_instance
    from mini_street.street import make_world
    from mini_street.view import moment

    world = make_world((5, 3), around=True)
    now = moment(world, 0.0, 5)
    lens = LENSES['CAM_FRONT']
    picture = now.picture(lens, (5,))
    world2cam = np.linalg.inv(now.ego @ lens.cam2ego())
    checked = 0
    for number, thing in enumerate(world.things):
        if (
            thing.kind not in ('car', 'truck', 'bus', 'trailer', 'cone', 'barrier')
            or picture.boxes[number, 4] < 20
        ):
            continue
        size, centre = _size([thing])
        x, y, yaw = thing.pose(world.road, 0.0)
        c, s = np.cos(yaw), np.sin(yaw)
        at = [
            x + c * centre[0] - s * centre[1],
            y + s * centre[0] + c * centre[1],
            thing.z + centre[2],
        ]
        o = {
            'yaw': yaw,
            'translation': at,
            'size': size,
            'category': 'vehicle.car',
            'attribute': '',
        }
        instance = _camera_instance(o, np.zeros(3), world2cam, lens)
        if instance is None:
            continue
        x0, y0, x1, y1 = picture.boxes[number, :4]
        assert instance['bbox'][0] - 1 <= x0 and instance['bbox'][1] - 1 <= y0
        assert x1 <= instance['bbox'][2] + 1 and y1 <= instance['bbox'][3] + 1
        checked += 1
    assert checked > 5


# ------------------------------------------------------------------------------ the tool


def small_task():
    """Three images of Cityscapes."""
    from mini_street import cityscapes

    whole = cityscapes.task('tiny', 3)
    return replace(whole, jobs=whole.jobs[-3:])


def test_pictures_do_not_depend_on_workers_or_interruptions(tmp_path):
    from mini_street import jobs

    task = small_task()
    jobs.run(task, tmp_path / 'one', 'tiny', 3, workers=1)
    jobs.run(task, tmp_path / 'two', 'tiny', 3, workers=2)

    made = []

    def stop_at_second(folder, job, number, moment):
        made.append(job.key)
        if len(made) == 2:
            raise KeyboardInterrupt
        return task.frame(folder, job, number, moment)

    with pytest.raises(KeyboardInterrupt):
        jobs.run(replace(task, frame=stop_at_second), tmp_path / 'three', 'tiny', 3, workers=1)
    assert not json.loads((tmp_path / 'three' / jobs.MANIFEST).read_text())['finished']
    first = list((tmp_path / 'three').rglob('*_leftImg8bit.png'))
    assert len(first) == 1
    written = first[0].stat().st_mtime_ns
    jobs.run(task, tmp_path / 'three', 'tiny', 3, workers=1)
    assert first[0].stat().st_mtime_ns == written

    expected = contents(tmp_path / 'one')
    assert sum(path.suffix == '.png' for path in expected) == 9
    assert contents(tmp_path / 'two') == expected
    assert contents(tmp_path / 'three') == expected


def test_another_seed_gives_another_world():
    from mini_street.street import make_world

    one, same, other = make_world((1, 2)), make_world((1, 2)), make_world((2, 2))
    np.testing.assert_array_equal(one.at(0.5).points, same.at(0.5).points)
    assert one.at(0.5).points.shape != other.at(0.5).points.shape


def test_a_finished_output_is_left_alone(mini_street):
    before = {p: p.stat().st_mtime_ns for p in (mini_street / 'cityscapes').rglob('*')}
    result = tool('--out', mini_street, '--tasks', 'cityscapes')
    assert result.returncode == 0
    assert 'nothing to do' in result.stdout
    assert before == {p: p.stat().st_mtime_ns for p in (mini_street / 'cityscapes').rglob('*')}


@pytest.mark.parametrize('change', (('--preset', 'standard'), ('--seed', 7)))
def test_another_preset_or_seed_is_refused(mini_street, change):
    result = tool('--out', mini_street, '--tasks', 'cityscapes', *change)
    assert result.returncode != 0
    assert '--out' in result.stderr and 'remove' in result.stderr
    assert str(change[1]) in result.stderr


def test_the_video_has_thirty_frames_per_second():
    from mini_street.argoverse_hd import _timestamp, task

    for job in task('video', 0).jobs:
        frames, times = zip(*job.times)
        step = 1 / 30 if job.context['split'] == 'val' else 0.1
        assert frames == tuple(range(len(frames)))
        np.testing.assert_allclose(times, step * np.arange(len(times)))
        # Names tell the time in nanoseconds.
        stamps = [_timestamp(job, time) for time in times]
        np.testing.assert_allclose(np.diff(stamps), 1e9 * step, atol=1)


def test_the_video_is_of_one_data_set(tmp_path):
    result = tool('--out', tmp_path, '--preset', 'video', '--tasks', 'cityscapes')
    assert result.returncode != 0
    assert '--tasks argoverse_hd' in result.stderr


def test_a_strangers_folder_is_refused(tmp_path):
    (tmp_path / 'cityscapes').mkdir()
    (tmp_path / 'cityscapes' / 'mine.txt').write_text('keep')
    result = tool('--out', tmp_path, '--tasks', 'cityscapes')
    assert result.returncode != 0
    assert 'not empty' in result.stderr
    assert [p.name for p in (tmp_path / 'cityscapes').iterdir()] == ['mine.txt']
