import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lzu_mm.saliency import load_saliency
from lzu_mm.saliency.estimation.kde import box_saliency

ROOT = Path(__file__).resolve().parents[2]
FIXED = {
    'argoverse_hd': 'retinanet/lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py',
    'cityscapes': 'pspnet/lzu-fixed_pspnet_r18-d8_mini-street-128x128.py',
    'nuscenes': 'fcos3d/lzu-fixed_fcos3d_r18_fpn_mini-street-0.25x.py',
}


@pytest.fixture
def street(tmp_path, mini_street):
    """A mini-street of which only the data are shared with other tests."""
    for name in FIXED:
        (tmp_path / name).symlink_to(mini_street / name)
    return tmp_path


def compute(street, config, *options):
    """Runs the tool as from the command line: exit status 0, or 1 and the message it ends with."""
    argv = ['compute_saliency.py', str(ROOT / 'configs' / config), *map(str, options)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MINI_STREET', str(street))
        patch.setattr(sys, 'argv', argv)
        try:
            runpy.run_path(str(ROOT / 'tools' / 'compute_saliency.py'), run_name='__main__')
        except SystemExit as end:
            return 1, str(end)
    return 0, ''


@pytest.mark.parametrize(
    ('data', 'method', 'shape'),
    [
        ('argoverse_hd', 'boxes', (31, 51)),
        ('cityscapes', 'boundaries', (45, 45)),
        ('nuscenes', 'boxes', (27, 48)),
    ],
)
def test_file_and_picture_where_the_config_looks(street, data, method, shape):
    if data == 'nuscenes':
        pytest.importorskip('mmdet3d')
    assert compute(street, FIXED[data]) == (0, '')
    path = street / 'saliency' / f'{data}.npz'
    saliency, info = load_saliency(path)
    assert saliency.shape == shape
    assert (info['method'], info['split']) == (method, 'train')
    # A street is looked at where objects are: below the roofs, above the road in front.
    rows = saliency.sum(1)
    assert rows[shape[0] // 3 : 2 * shape[0] // 3].sum() > 0.5
    picture = cv2.imread(str(path.with_suffix('.png')))
    assert picture.std() > 10


def test_boxes_are_those_of_the_training_set(street):
    assert compute(street, FIXED['argoverse_hd'], '--grid-shape', 9, 12) == (0, '')
    saliency, info = load_saliency(street / 'saliency/argoverse_hd.npz')
    content = json.loads((street / 'argoverse_hd/Argoverse-HD/annotations/train.json').read_text())
    boxes = torch.tensor([item['bbox'] for item in content['annotations']]).double()
    boxes[:, 2:] += boxes[:, :2]
    assert info['count'] == len(boxes)
    expected = box_saliency(boxes, tuple(info['image_size']), (9, 12)).float()
    torch.testing.assert_close(saliency, expected)


def test_existing_files_are_kept(street, capsys):
    out = street / 'mine.npz'
    arguments = (FIXED['argoverse_hd'], '--out', out, '--grid-shape', 6, 8)
    assert compute(street, *arguments) == (0, '')
    written = out.stat().st_mtime_ns

    assert compute(street, *arguments) == (0, '')
    assert 'there already' in capsys.readouterr().out

    status, message = compute(street, *arguments, '--bandwidth', 32)
    assert status == 1
    assert 'bandwidth: 64.0 -> 32.0' in message
    assert '--overwrite' in message
    assert out.stat().st_mtime_ns == written

    assert compute(street, *arguments, '--bandwidth', 32, '--overwrite') == (0, '')
    assert load_saliency(out)[1]['bandwidth'] == 32


def test_files_of_others_are_kept(street):
    out = street / 'mine.npz'
    np.savez(out, weights=np.ones(3))
    status, message = compute(street, FIXED['argoverse_hd'], '--out', out)
    assert (status, '--overwrite' in message) == (1, True)
    assert np.load(out).files == ['weights']


def test_evaluation_splits_need_a_word(street):
    arguments = (FIXED['argoverse_hd'], '--split', 'val')
    status, message = compute(street, *arguments)
    assert (status, '--allow-evaluation-split' in message) == (1, True)
    assert compute(street, *arguments, '--allow-evaluation-split') == (0, '')
    assert load_saliency(street / 'saliency/argoverse_hd.npz')[1]['split'] == 'val'


def test_errors_name_the_setting(street):
    fixed = FIXED['argoverse_hd']
    uniform = fixed.replace('lzu-fixed', 'uniform')
    assert '--out' in compute(street, uniform)[1]
    assert '.npz' in compute(street, fixed, '--out', street / 's.npy')[1]
    assert 'data_root' in compute(street / 'absent', fixed)[1]


def test_a_map_inside_combined_saliency_is_found(street):
    uniform = FIXED['argoverse_hd'].replace('lzu-fixed', 'uniform')
    config = street / 'combined.py'
    config.write_text(
        f"""
_base_ = '{ROOT / 'configs' / uniform}'
members = [
    dict(type='lzu_mm.UniformSaliency'),
    dict(type='lzu_mm.FixedSaliency', path='{street}/inner.npz'),
]
saliency = dict(type='lzu_mm.CombinedSaliency', members=members)
model = dict(data_preprocessor=dict(zoom=dict(saliency=saliency)))
"""
    )
    assert compute(street, config) == (0, '')
    assert (street / 'inner.npz').is_file()


def test_an_empty_training_set_is_an_error(street):
    (street / 'empty/leftImg8bit/train').mkdir(parents=True)
    option = f'train_dataloader.dataset.data_root={street}/empty'
    status, message = compute(street, FIXED['cityscapes'], '--cfg-options', option)
    assert (status, 'data_root' in message) == (1, True)
