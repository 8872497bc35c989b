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

from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.visualization import record_image, record_zoom

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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MINI_STREET', str(street))
        return run(str(ROOT / 'configs' / config), *options)


def run(*arguments):
    """As `browse`, without a config."""
    argv = ['browse_zoom.py', *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
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


@pytest.fixture
def photo(tmp_path):
    """Rows as bright as their number."""
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 320, 3)))
    return path


def saliency_file(tmp_path, suffix):
    saliency = np.ones((9, 12), np.float32)
    saliency[4] = 9
    path = tmp_path / f'map{suffix}'
    np.savez(path, saliency=saliency) if suffix == '.npz' else np.save(path, saliency)
    return f'fixed:{path}'


@pytest.mark.parametrize('saliency', ['horizon:0.45', 'uniform', '.npz', '.npy'])
def test_an_image_needs_no_config(tmp_path, photo, saliency):
    word = saliency_file(tmp_path, saliency) if saliency.startswith('.') else saliency
    out = tmp_path / 'pictures'
    arguments = ('--image', photo, '--saliency', word, '--output-dir', out, '--not-show')
    assert run(*arguments, '--width', 200) == (0, '')
    picture = cv2.imread(str(out / 'photo.png'))
    assert picture.shape[1] == 3 * 200 + 4 * 14
    assert 'exists' in run(*arguments)[1]


def test_an_image_is_zoomed_as_by_a_preprocessor(photo):
    pytest.importorskip('mmdet')
    zoom = dict(scale=0.25, saliency=dict(type='lzu_mm.HorizonSaliency', row=0.3))
    image = cv2.imread(str(photo))
    record = record_image(image, ZoomSettings(**zoom))
    preprocessor = MODELS.build(dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom))
    preprocessor.link.claimed = True
    with torch.no_grad():
        output = preprocessor({'inputs': [torch.from_numpy(image).permute(2, 0, 1)]})
    expected = output['inputs'][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(record.zoomed, expected, atol=0.51)
    assert record.zoomed.shape == (50, 80, 3)
    assert np.abs(record.uniform.astype(int) - record.zoomed).mean() > 1


@pytest.mark.parametrize(
    ('arguments', 'remedy'),
    [
        (('--saliency', 'temporal'), 'horizon:ROW'),
        (('--saliency', 'fixed:nowhere.npz'), 'nowhere.npz'),
        (('--saliency', 'horizon:45'), 'share'),
        (('--saliency', 'uniform', '--scale', 9), 'zoom.scale'),
    ],
)
def test_what_an_image_alone_is_not_enough_for_is_refused(tmp_path, photo, arguments, remedy):
    status, message = run('--image', photo, '--output-dir', tmp_path / 'p', *arguments)
    assert (status, remedy in message) == (1, True), message
    assert not (tmp_path / 'p').exists()


@pytest.mark.parametrize(
    'arguments', [(), ('c.py', '--image', 'i'), ('--image', 'i'), ('c.py', '--saliency', 'uniform')]
)
def test_a_config_or_an_image(arguments, capsys):
    assert run(*arguments)[0] == 1
    assert '--image and --saliency' in capsys.readouterr().err


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
