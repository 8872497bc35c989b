import importlib.util
import itertools
import os
import re
import signal
import sys
import threading
from types import SimpleNamespace

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from lzu_mm.datasets import ArgoverseHDDataset
from lzu_mm.deploy import export_onnx
from lzu_mm.engine import run_tool
from lzu_mm.saliency import save_saliency
from lzu_mm.saliency.estimation.kde import box_saliency

from .launching import ROOT

SIDES = ['uniform', 'lzu-fixed', 'lzu-adaptive', 'lzu-learned']
# Untrained, all scores are close to 0.01.
EAGER = [
    'model.test_cfg.score_thr=0.005',
    'model.test_cfg.max_per_img=3',
    'model.data_preprocessor.zoom.saliency.score_thr=0',
]


def config(side):
    return ROOT / 'configs' / 'retinanet' / f'{side}_retinanet_r18_fpn_mini-street-0.25x.py'


def frames(count, size=(128, 192)):
    """A bright square on its way to the right."""
    for index in range(count):
        frame = np.full((*size, 3), 60, np.uint8)
        frame[50:70, 10 + 20 * index : 30 + 20 * index] = 250
        yield frame


@pytest.fixture
def demo(monkeypatch):
    """The tool as a module, which keeps the records that it draws."""
    spec = importlib.util.spec_from_file_location('video_demo', ROOT / 'tools' / 'video_demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = []

    def draw(record, frame, result, *rest):
        drawn.append((record, result))
        return original(record, frame, result, *rest)

    original = module.draw
    monkeypatch.setattr(module, 'draw', draw)

    def run(*arguments):
        """The records, and the message that the tool ends with."""
        drawn.clear()
        monkeypatch.setattr(sys, 'argv', ['video_demo.py', *map(str, arguments)])
        try:
            run_tool(module.main)
        except SystemExit as end:
            return drawn, str(end)
        return drawn, ''

    run.module = module
    return run


@pytest.fixture
def street(tmp_path, monkeypatch):
    """Where the configs find a map that peaks at the top left."""
    saliency = torch.ones(9, 12)
    saliency[1:3, 1:3] = 20
    save_saliency(tmp_path / 'street' / 'saliency' / 'argoverse_hd.npz', saliency, {})
    monkeypatch.setenv('MINI_STREET', str(tmp_path / 'street'))
    return tmp_path


@pytest.fixture
def video(tmp_path):
    path = tmp_path / 'video.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12, (192, 128))
    for frame in frames(4):
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def checkpoint(street):
    def save(side, **saliency):
        cfg = Config.fromfile(config(side))
        cfg.model.data_preprocessor.zoom.saliency.update(saliency)
        init_default_scope('mmdet')
        model = MODELS.build(cfg.model)
        model.init_weights()
        meta = dict(dataset_meta=dict(classes=ArgoverseHDDataset.METAINFO['classes']))
        path = street / f'{side}.pth'
        torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
        return path

    return save


@pytest.mark.parametrize('side', SIDES)
def test_every_saliency(demo, video, checkpoint, tmp_path, side, capsys):
    out = tmp_path / 'new' / 'out.mp4'
    options = EAGER if side == 'lzu-adaptive' else EAGER[:2]
    drawn, message = demo(
        video, config(side), checkpoint(side), '--out', out, '--device', 'cpu', '--width', 200,
        '--score-thr', 0, '--cfg-options', *options,
    )  # fmt: skip
    assert message == ''
    assert re.search(
        r'4 frames at [\d.]+ frames/s; detection latency p50 [\d.]+ ms, p95 [\d.]+ ms',
        capsys.readouterr().out,
    )

    written = mmcv.VideoReader(str(out))
    assert written.frame_cnt == 4
    assert written.fps == 12
    assert written.width == 3 * 200 + 4 * 14
    assert all(record.zoomed.shape == (32, 48, 3) for record, _ in drawn)
    assert all(result.ori_shape == (128, 192) for _, result in drawn)
    assert [result.frame_id for _, result in drawn] == [0, 1, 2, 3]
    maps = [record.saliency for record, _ in drawn]
    if side == 'lzu-fixed':
        assert all(found.argmax() in (13, 14, 25, 26) for found in maps)
    elif side == 'lzu-adaptive':
        torch.testing.assert_close(maps[0], torch.full((31, 51), 1 / 31 / 51))
        for found, (_, previous) in zip(maps[1:], drawn):
            boxes = previous.pred_instances.bboxes
            torch.testing.assert_close(found, box_saliency(boxes, (128, 192), (31, 51)))
    else:
        assert all(torch.allclose(found, found.mean()) for found in maps)


def test_the_three_pictures(demo, video, checkpoint, tmp_path):
    out = tmp_path / 'out.mp4'
    # Where few boxes are drawn, and far from the corner.
    drawn, _ = demo(
        video, config('lzu-fixed'), checkpoint('lzu-fixed'), '--out', out, '--width', 384,
        '--device', 'cpu', '--score-thr', 1,
    )  # fmt: skip
    sheet = mmcv.VideoReader(str(out))[2].astype(int)
    top = sheet.shape[0] - 256 - 14
    original, heat, zoomed = (
        sheet[top : top + 256, 14 + k * 398 : 14 + k * 398 + 384] for k in range(3)
    )
    frame = cv2.resize(list(frames(3))[2], (384, 256), interpolation=cv2.INTER_NEAREST)
    assert np.abs(original - frame).mean() < 6
    # The heat is red at the top left, and the frame is grey.
    assert heat[20:60, 20:80, 2].mean() > 120
    assert heat[-60:, -60:, 2].mean() < 80
    record, _ = drawn[2]
    picture = cv2.resize(record.zoomed, (384, 256), interpolation=cv2.INTER_CUBIC)
    assert np.abs(zoomed - picture).mean() < 6


def test_nothing_is_replaced_in_silence(demo, video, checkpoint, tmp_path):
    arguments = (video, config('uniform'), checkpoint('uniform'), '--out', tmp_path / 'out.mp4',
                 '--device', 'cpu', '--width', 64)  # fmt: skip
    assert demo(*arguments)[1] == ''
    assert '--overwrite' in demo(*arguments)[1]
    assert demo(*arguments, '--overwrite')[1] == ''


def test_a_stream_whose_size_changes_goes_on(demo, video, checkpoint, tmp_path, capsys, recwarn):
    class Stream(list):
        opened, width, height, fps, frame_cnt = True, 192, 128, 0, 4

    stream = Stream([*frames(2), *frames(2, (160, 160))])
    demo.module.mmcv = type('mmcv', (), {**vars(mmcv), 'VideoReader': lambda path: stream})
    out = tmp_path / 'out.mp4'
    drawn, message = demo(
        video, config('lzu-adaptive'), checkpoint('lzu-adaptive'), '--out', out,
        '--device', 'cpu', '--width', 64, '--cfg-options', *EAGER,
    )  # fmt: skip
    assert message == ''
    assert 'frame 2: the size changes from (128, 192) to (160, 160)' in capsys.readouterr().out
    assert [record.source.shape[:2] for record, _ in drawn] == [(128, 192)] * 2 + [(160, 160)] * 2
    assert mmcv.VideoReader(str(out)).frame_cnt == 4
    assert any('falls back to the prior' in str(w.message) for w in recwarn)


def test_a_stream_of_unknown_length(demo, checkpoint, tmp_path):
    stream = tmp_path / 'stream.mjpeg'
    stream.write_bytes(b''.join(cv2.imencode('.jpg', f)[1].tobytes() for f in frames(3)))
    assert mmcv.VideoReader(str(stream)).frame_cnt < 0
    out = tmp_path / 'out.mp4'
    arguments = (stream, config('uniform'), checkpoint('uniform'), '--out', out)
    drawn, message = demo(*arguments, '--device', 'cpu', '--width', 64)
    assert (len(drawn), message) == (3, '')
    assert mmcv.VideoReader(str(out)).frame_cnt == 3


def camera(frames):
    """A class of cameras that give these frames, of which they do not know how many there are."""

    class Fake:
        opened, width, fps, frame_cnt = True, 192, 12, 0

        def __init__(self, source):
            assert source == '0'

        def __iter__(self):
            yield from frames

    return Fake


def test_a_camera_drops_frames_rather_than_lag(demo, checkpoint, tmp_path, capsys, monkeypatch):
    detecting, over = threading.Event(), threading.Event()
    pictures = list(frames(6))

    def seen():
        yield pictures[0]
        assert detecting.wait(60)
        yield from pictures[1:]
        over.set()

    def slow(*arguments):
        detecting.set()
        assert over.wait(60)
        return detect(*arguments)

    detect = demo.module.inference_detector
    monkeypatch.setattr(demo.module, 'inference_detector', slow)
    monkeypatch.setattr(demo.module, 'Camera', camera(seen()))
    out = tmp_path / 'out.mp4'
    drawn, message = demo(
        0, config('lzu-adaptive'), checkpoint('lzu-adaptive'), '--out', out, '--device', 'cpu',
        '--width', 64, '--cfg-options', *EAGER,
    )  # fmt: skip
    assert message == ''
    # The first and the newest; the four between were dropped.
    for (record, _), expected in zip(drawn, (pictures[0], pictures[5])):
        np.testing.assert_array_equal(record.source, expected)
    assert len(drawn) == 2
    # The second looks where the first found objects, and the video keeps the time.
    boxes = drawn[0][1].pred_instances.bboxes
    torch.testing.assert_close(
        drawn[1][0].saliency, box_saliency(boxes, (128, 192), (31, 51)), rtol=1e-4, atol=1e-6
    )
    assert mmcv.VideoReader(str(out)).frame_cnt == 6
    printed = capsys.readouterr().out
    assert '2 frames at' in printed
    assert 'from camera to picture latency p50' in printed
    assert '4 frames dropped' in printed


def test_an_interrupt_ends_a_camera_and_keeps_its_video(demo, checkpoint, tmp_path, monkeypatch):
    waiting = threading.Event()

    def endless():
        for count, frame in enumerate(itertools.cycle(list(frames(4)))):
            if count == 3:
                os.kill(os.getpid(), signal.SIGINT)
            yield frame
            waiting.wait(0.05)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(demo.module, 'Camera', camera(endless()))
    out = tmp_path / 'out.mp4'
    drawn, message = demo(
        0, config('uniform'), checkpoint('uniform'), '--out', out, '--device', 'cpu', '--width', 64
    )
    assert message == ''
    assert drawn
    assert mmcv.VideoReader(str(out)).frame_cnt > 0
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_error_in_a_stage_ends_the_program_in_one_line(
    demo, video, checkpoint, tmp_path, monkeypatch
):
    arguments = (video, config('uniform'), checkpoint('uniform'), '--out', tmp_path / 'out.mp4',
                 '--device', 'cpu', '--width', 64)  # fmt: skip

    def fail(*_, **__):
        raise ValueError('no\nway')

    module = demo.module
    stages = ((module, 'inference_detector'), (module, 'compose_panels'), (module.VideoFile, 'add'))
    for owner, name in stages:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            _, message = demo(*arguments)
        assert message.strip() == 'error: ValueError: no way'
    assert not [path for path in tmp_path.iterdir() if path.suffix == '.mp4' and path != video]


def test_a_damaged_video_is_said(demo, tmp_path, capsys, monkeypatch):
    path, other = tmp_path / 'damaged.avi', tmp_path / 'file'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, (192, 128))
    for frame in frames(5):
        writer.write(frame)
    writer.release()
    whole = path.read_bytes()
    third = [found.start() for found in re.finditer(b'\xff\xd8\xff', whole)][2]
    path.write_bytes(whole[:third] + bytes(len(whole) - third))
    other.touch()
    # How many can be read does not depend on the model.
    monkeypatch.setattr(demo.module, 'build_model', lambda args: None)
    monkeypatch.setattr(demo.module, 'Detect', lambda model: SimpleNamespace(seconds=[0.1]))
    monkeypatch.setattr(demo.module, 'process', lambda video, *_: ([0.1 for _ in video], 0))
    _, message = demo(path, other, other, '--out', tmp_path / 'out.mp4')
    assert not message
    assert f'warning: {path} is damaged: 2 of 5 frames were read' in capsys.readouterr().out


def test_a_file_in_place_of_the_checkpoint(demo, video, checkpoint, tmp_path):
    pytest.importorskip('onnxruntime')
    weights = checkpoint('lzu-fixed')
    options = ('--device', 'cpu', '--width', 64, '--cfg-options', *EAGER[:2])
    cfg = Config.fromfile(config('lzu-fixed'))
    cfg.merge_from_dict(dict(option.split('=') for option in EAGER[:2]))
    cfg.model.test_cfg.update(score_thr=0.005, max_per_img=3)
    model = demo.module.init_detector(cfg, str(weights), device='cpu')
    export_onnx(model, tmp_path / 'end2end.onnx', (128, 192))
    found, pictures = [], []
    for tested in (weights, tmp_path / 'end2end.onnx'):
        out = tmp_path / f'{tested.stem}.mp4'
        drawn, message = demo(video, config('lzu-fixed'), tested, '--out', out, *options)
        assert message == ''
        found.append([result.pred_instances for _, result in drawn])
        pictures.append(mmcv.VideoReader(str(out)).width)
    assert len(found[0]) == len(found[1]) == 4
    for one, other in zip(*found):
        torch.testing.assert_close(one.bboxes, other.bboxes, rtol=0, atol=1e-2)
        torch.testing.assert_close(one.scores, other.scores, rtol=0, atol=1e-4)
    assert pictures == [3 * 64 + 4 * 14, 64 + 2 * 14]


def test_a_checkpoint_of_another_learned_grid(demo, video, checkpoint, tmp_path):
    path = checkpoint('lzu-learned', grid_shape=(5, 8))
    with pytest.warns(
        UserWarning, match=r'trained with a map of \(5, 8\), but saliency.grid_shape'
    ):
        drawn, message = demo(
            video, config('lzu-learned'), path, '--out', tmp_path / 'out.mp4', '--device', 'cpu',
            '--width', 64,
        )  # fmt: skip
    assert (len(drawn), message) == (4, '')


def test_bad_input_is_named(demo, video, checkpoint, tmp_path, monkeypatch):
    good = checkpoint('uniform')
    broken = tmp_path / 'broken.mp4'
    broken.write_text('no video')
    out = ('--out', tmp_path / 'out.mp4')
    plain = ROOT / 'configs/retinanet/retinanet_r18_fpn_mini-street.py'
    pspnet = ROOT / 'configs/pspnet/uniform_pspnet_r18-d8_mini-street-128x128.py'
    cases = [
        ((broken, config('uniform'), good, *out), f'cannot open {broken} as a video'),
        (('no.mp4', config('uniform'), good, *out), 'there is no file no.mp4'),
        ((video, config('uniform'), 'no.pth', *out), 'there is no file no.pth'),
        ((video, config('uniform'), good), '--show'),
        ((video, config('uniform'), good, '--out', 'out.txt'), '.mp4'),
        ((video, config('uniform'), good, *out, '--live'), 'no frame of'),
        (('rtsp://127.0.0.1:1/none', config('uniform'), good, *out), 'as a camera'),
        ((video, config('uniform'), tmp_path / 'bad.onnx', *out), 'there is no file'),
        ((video, plain, good, *out, '--device', 'cpu'), 'lzu_mm.ZoomDetDataPreprocessor'),
        ((video, pspnet, good, *out), "'mmseg'"),
    ]
    for arguments, expected in cases:
        drawn, message = demo(*arguments)
        assert message.startswith('error: ')
        assert expected in message
        assert not drawn
    monkeypatch.setenv('MINI_STREET', str(tmp_path / 'nowhere'))
    _, message = demo(video, config('lzu-fixed'), good, *out, '--device', 'cpu')
    assert 'saliency.path' in message
    assert not (tmp_path / 'out.mp4').exists()


def test_a_real_street(demo, shared_data, checkpoint, tmp_path):
    class FirstFrames(mmcv.VideoReader):
        def __next__(self):
            if self.position == 3:
                raise StopIteration
            return super().__next__()

    demo.module.mmcv = type('mmcv', (), {**vars(mmcv), 'VideoReader': FirstFrames})
    drawn, message = demo(
        shared_data / 'video' / 'street.mp4', config('lzu-adaptive'), checkpoint('lzu-adaptive'),
        '--out', tmp_path / 'out.mp4', '--device', 'cpu', '--cfg-options', *EAGER,
    )  # fmt: skip
    assert message == ''
    assert [record.zoomed.shape for record, _ in drawn] == [(180, 320, 3)] * 3
    assert drawn[1][0].saliency.max() > 2 * drawn[1][0].saliency.mean()
