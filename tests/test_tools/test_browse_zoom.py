import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope

from lzu_mm.visualization import record_zoom

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = {
    'mmdet': 'retinanet/{}_retinanet_r18_fpn_mini-street-0.25x.py',
    'mmseg': 'pspnet/{}_pspnet_r18-d8_mini-street-128x128.py',
    'mmdet3d': 'fcos3d/{}_fcos3d_r18_fpn_mini-street-0.25x.py',
}


@pytest.fixture
def street(tmp_path, mini_street):
    """A mini-street with saliency that peaks left of the middle."""
    for folder in mini_street.iterdir():
        if folder.name != 'saliency':
            (tmp_path / folder.name).symlink_to(folder)
    saliency = np.ones((9, 12), np.float32)
    saliency[4:6, 2:5] = 15
    (tmp_path / 'saliency').mkdir()
    for name in ('argoverse_hd', 'cityscapes', 'nuscenes'):
        np.savez(tmp_path / 'saliency' / f'{name}.npz', saliency=saliency)
    return tmp_path


def browse(street, config, *options):
    """Runs the tool as from the command line: exit status 0, or 1 and the message it ends with."""
    argv = ['browse_zoom.py', str(ROOT / 'configs' / config), *map(str, options)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MINI_STREET', str(street))
        patch.setattr(sys, 'argv', argv)
        try:
            runpy.run_path(str(ROOT / 'tools' / 'browse_zoom.py'), run_name='__main__')
        except SystemExit as end:
            return 1, str(end)
    return 0, ''


@pytest.mark.parametrize('phase', ['train', 'val'])
@pytest.mark.parametrize('library', CONFIGS)
def test_one_picture_per_image(street, tmp_path, library, phase):
    pytest.importorskip(library)
    out = tmp_path / 'pictures'
    options = ('--output-dir', out, '--not-show', '-n', 2, '--width', 200, '--phase', phase)
    assert browse(street, CONFIGS[library].format('lzu-fixed'), *options) == (0, '')
    pictures = sorted(out.iterdir())
    assert [path.name[:6] for path in pictures] == ['00000_', '00001_']
    assert cv2.imread(str(pictures[0])).shape[1] == 3 * 200 + 4 * 14


def test_pictures_are_not_replaced_in_silence(street, tmp_path):
    options = ('--output-dir', tmp_path / 'p', '-n', 1, '--not-show')
    arguments = (CONFIGS['mmdet'].format('uniform'), *options)
    assert browse(street, *arguments) == (0, '')
    status, message = browse(street, *arguments)
    assert (status, '--overwrite' in message) == (1, True)
    assert browse(street, *arguments, '--overwrite') == (0, '')


def test_errors_name_the_setting(street, tmp_path):
    plain = browse(street, 'retinanet/retinanet_r18_fpn_mini-street.py')
    assert 'model.data_preprocessor' in plain[1]
    option = f'model.data_preprocessor.zoom.saliency.path={tmp_path}/no.npz'
    missing = browse(street, CONFIGS['mmdet'].format('lzu-fixed'), '--cfg-options', option)
    assert 'saliency.path' in missing[1]
    nowhere = browse(tmp_path / 'nowhere', CONFIGS['mmdet'].format('uniform'))
    assert 'data_root' in nowhere[1]


@pytest.mark.parametrize('library', CONFIGS)
def test_the_record_is_what_the_network_gets(street, library, monkeypatch):
    pytest.importorskip(library)
    monkeypatch.setenv('MINI_STREET', str(street))
    cfg = Config.fromfile(ROOT / 'configs' / CONFIGS[library].format('lzu-fixed'))
    init_default_scope(library)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    preprocessor.link.claimed = True
    item = DATASETS.build(cfg.val_dataloader.dataset)[0]
    record = record_zoom(preprocessor, item, training=False)

    output = preprocessor(pseudo_collate([item]), False)
    canvas = preprocessor.get_canvas(output)[0]
    h, w = record.zoomed.shape[:2]
    shown = torch.from_numpy(record.zoomed.copy()).permute(2, 0, 1).float()
    if cfg.model.data_preprocessor.bgr_to_rgb:
        shown = shown.flip(0)
    normalised = (shown - preprocessor.mean) / preprocessor.std
    # Half a grey level, rounded away for display.
    difference = ((canvas[:, :h, :w] - normalised) * preprocessor.std).abs()
    assert difference.max() < 0.51
    assert record.uniform.shape == record.zoomed.shape
    assert np.abs(record.uniform.astype(int) - record.zoomed).mean() > 1
    assert record.saliency.shape == (9, 12)
    assert len(record.labels.outlines) or record.labels.label_map is not None


@pytest.mark.parametrize('library', ['mmdet', 'mmdet3d'])
def test_labels_lie_alike_before_and_after_the_zoom(street, library, monkeypatch):
    pytest.importorskip(library)
    monkeypatch.setenv('MINI_STREET', str(street))
    cfg = Config.fromfile(ROOT / 'configs' / CONFIGS[library].format('lzu-fixed'))
    init_default_scope(library)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    preprocessor.link.claimed = True
    item = DATASETS.build(cfg.train_dataloader.dataset)[0]
    record = record_zoom(preprocessor, item, training=True)
    assert len(record.labels.outlines) > 0
    np.testing.assert_allclose(
        np.concatenate(record.labels.outlines),
        np.concatenate(record.source_labels.outlines),
        atol=1e-5,
    )
