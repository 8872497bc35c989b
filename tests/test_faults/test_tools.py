"""Wrong uses of the tools end in one line that says what to do, and with status 2."""

import contextlib
import json
import logging
import os
import pickle
import runpy
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from lzu_mm.engine import build_runner, read_checkpoint, run_tool

from ..test_tools.launching import ROOT, call
from . import test_checkpoints
from .processes import start

RETINANET = 'configs/retinanet/lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py'
DET = """
default_scope = 'mmdet'
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='lzu_mm.ZoomDetDataPreprocessor',
        zoom=dict(scale=0.5, saliency=dict(type='UniformSaliency')),
    ),
)
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler'),
    dataset=dict(
        type='CocoDataset',
        data_root='{folder}/',
        ann_file='boxes.json',
        metainfo=dict(classes=('person',)),
        data_prefix=dict(img=''),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs'),
        ],
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
"""

SMALL = """
custom_imports = dict(imports=['tests.test_faults.test_checkpoints'], allow_failed_imports=False)
default_scope = 'mmengine'
model = dict(type='SmallModel')
train_dataloader = dict(dataset=dict(type='Points'), sampler=dict(type='DefaultSampler'))
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.1))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
"""


def coco(width, height, box):
    """Annotations of one image with one box."""
    image = dict(id=1, file_name='image.png', width=width, height=height)
    annotation = dict(
        id=1, image_id=1, category_id=1, bbox=box, area=box[2] * box[3], iscrowd=0
    )  # fmt: skip
    return dict(
        images=[image], annotations=[annotation], categories=[dict(id=1, name='person')]
    )  # fmt: skip


@pytest.fixture(scope='module')
def bad(tmp_path_factory):
    """A folder of files that are wrong in one way each, and of good ones."""
    folder = tmp_path_factory.mktemp('bad')
    texts = {
        'det.py': DET.replace('{folder}', str(folder)),
        'small.py': SMALL,
        'syntax.py': 'model = dict(',
        'raises.py': 'assert 1 == 2, "twice"',
        'base.py': "_base_ = './none.py'",
        'stock.py': "_base_ = 'mmdet::retinanet/none.py'",
        'own.py': "_base_ = 'lzu_mm::retinanet/none.py'",
        'scope.py': 'model = dict()',
        'tag.yaml': 'a: !!python/object/apply:os.getcwd []',
        'tagged.py': "_base_ = './tag.yaml'",
        'plain.py': "default_scope = 'mmdet'\nmodel = dict(type='RetinaNet')",
        'broken.json': '{"images": [',
        'broken.pth': 'no checkpoint',
        'broken.png': 'no image',
        'broken.mp4': 'no video',
        'broken.onnx': 'no model',
        'file': '',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    cv2.imwrite(str(folder / 'image.png'), np.zeros((20, 30, 3), np.uint8))
    (folder / 'boxes.json').write_text(json.dumps(coco(30, 20, [1, 1, 9, 9])))
    flat = coco(30, 20, [1, 1, 0, 9])
    (folder / 'flat.json').write_text(json.dumps(flat))
    absent = coco(30, 20, [1, 1, 9, 9])
    absent['images'][0]['file_name'] = 'none.png'
    (folder / 'absent.json').write_text(json.dumps(absent))
    unreadable = coco(30, 20, [1, 1, 9, 9])
    unreadable['images'][0]['file_name'] = 'broken.png'
    (folder / 'unreadable.json').write_text(json.dumps(unreadable))
    torch.save(dict(state_dict={}), folder / 'empty.pth')
    torch.save([1, 2], folder / 'list.pth')
    torch.save(dict(state_dict=None), folder / 'nothing.pth')
    (folder / 'list.pkl').write_bytes(pickle.dumps([1, 2]))
    (folder / 'map.pkl').write_bytes(pickle.dumps(torch.ones(3, 4)))
    (folder / 'nan.pkl').write_bytes(pickle.dumps(torch.full((3, 4), float('nan'))))
    (folder / 'cube.pkl').write_bytes(pickle.dumps(torch.ones(3, 4, 5)))
    return folder


# What a training of a whole config refuses: the setting, and the words.
SETTINGS = [
    ('train_dataloader=3', 'train_dataloader must be a dict, got 3'),
    ('train_dataloader.batch_size=0', 'dataloader as the config has it: batch_size'),
    ('train_dataloader.num_workers=-1', 'dataloader as the config has it: num_workers'),
    ('train_dataloader.foo=1', "unexpected keyword argument 'foo'"),
    ('train_dataloader.sampler.type=DefaultSample', "did you mean 'DefaultSampler'?"),
    ('train_dataloader.dataset.type=Pointss', "did you mean 'Points'?"),
    ('train_cfg=3', 'train_cfg must be a dict, got 3'),
    ('train_cfg.max_epochs=x', 'train_cfg.max_epochs must be a number'),
    ('train_cfg.max_epochs=0', 'train_cfg.max_epochs must be a number in [1, inf)'),
    ('train_cfg.type=Foo', 'cannot run train_cfg'),
    ('optim_wrapper=3', 'cannot build optim_wrapper'),
    ('optim_wrapper.type=OptimWraper', "did you mean 'OptimWrapper'?"),
    ('optim_wrapper.optimizer.type=SDG', "SDG is no optimizer; did you mean 'SGD'?"),
    ('optim_wrapper.optimizer.lr=fast', 'cannot build Adam'),
    ('optim_wrapper.optimizer.foo=1', "unexpected keyword argument 'foo'"),
    ('default_hooks=3', 'default_hooks must be a dict'),
    ('default_hooks.checkpoint.type=CheckpointHok', "did you mean 'CheckpointHook'?"),
    ('default_hooks.checkpoint.interval=x', 'default_hooks.checkpoint.interval must be a whole'),
    ('default_hooks.checkpoint.max_keep_ckpts=x', 'max_keep_ckpts must be a whole number'),
    ('default_hooks.checkpoint.max_keep_ckpt=1', "did you mean 'max_keep_ckpts'?"),
    ('custom_hooks=3', 'cannot build the runner'),
    ('visualizer=3', 'cannot build the runner'),
    ('randomness.seed=x', 'cannot build the runner'),
    ('param_scheduler.type=MultiStepLR', 'cannot build MultiStepLR'),
    ('load_from={d}/none.pth', '{d}/none.pth'),
    ('load_from={d}/broken.pth', 'cannot read the checkpoint {d}/broken.pth'),
    ('load_from={d}/list.pth', '{d}/list.pth is no checkpoint, but holds a list'),
    ('load_from={d}/nothing.pth', '{d}/nothing.pth holds a NoneType in place of weights'),
    ('load_from={d}/empty.pth', '{d}/empty.pth lacks 4 of the 4 weights'),
    ('resume=True load_from={d}/broken.pth', '{d}/broken.pth cannot be read'),
    ('auto_scale_lr=3 --auto-scale-lr', 'base_batch_size=N'),
    ('auto_scale_lr.base_batch_size=0 --auto-scale-lr', 'base_batch_size must be a whole number'),
]
# What all tools that read a config refuse: the config, and the words.
CONFIGS = [
    ('none.py', 'none.py'),
    ('syntax.py', 'cannot read the config {d}/syntax.py'),
    ('raises.py', 'cannot read the config {d}/raises.py'),
    ('base.py', 'none.py'),
    ('stock.py', 'cannot read the config {d}/stock.py'),
    ('own.py', 'there is no'),
    ('tagged.py', 'python/object/apply'),
]
READERS = {
    'train': '',
    'test': '{d}/empty.pth',
    'compute_saliency': '--out {d}/out.npz',
    'browse_zoom': '--not-show --output-dir {d}/pictures',
}
DATA = 'train_dataloader.dataset'
CASES = [
    *[
        (f'{tool} {{d}}/{config} {rest}', words)
        for tool, rest in READERS.items()
        for config, words in CONFIGS
    ],
    *[
        (f'{tool} {{d}}/det.py {rest} --cfg-options word', "takes KEY=VALUE, not 'word'")
        for tool, rest in READERS.items()
    ],
    *[(f'{tool}', 'required') for tool in ('train', 'test', 'compute_saliency', 'video_demo')],
    *[
        (f'{tool} {{d}}/det.py {rest} --no-such-flag', 'no-such-flag')
        for tool, rest in READERS.items()
    ],
    # train
    ('train {d}/scope.py --work-dir {d}/w', 'sets no default_scope'),
    ('train {d}/det.py --work-dir {d}/file/w', '{d}/file'),
    ('train {d}/det.py --work-dir /proc/none', '/proc/none'),
    ('train {d}/det.py --launcher many', 'invalid choice'),
    ('train {d}/det.py --auto-scale-lr --work-dir {d}/w', 'base_batch_size=N'),
    (
        'train {d}/det.py --amp --work-dir {d}/w --cfg-options optim_wrapper.type=Own',
        "optim_wrapper.type is 'Own'",
    ),
    ('train {d}/det.py --work-dir {d}/w --resume {d}/none.pth', 'no checkpoint at {d}/none.pth'),
    ('train {d}/det.py --work-dir {d}/w --resume {d}/broken.pth', '{d}/broken.pth'),
    ('train {d}/det.py --work-dir {d}/w --resume {d}/list.pth', 'holds a list'),
    ('train {d}/det.py --work-dir {d}/w --resume {d}', 'no checkpoint at {d}'),
    (
        'train {d}/det.py --work-dir {d}/w --cfg-options model.type=RetinaNett',
        "did you mean 'RetinaNet'?",
    ),
    (
        'train {d}/det.py --work-dir {d}/w --cfg-options model.backbon=1',
        "did you mean 'backbone'?",
    ),
    (
        'browse_zoom {d}/det.py --not-show --output-dir {d}/p --cfg-options '
        'model.data_preprocessor.type=lzu_mm.ZoomDetPreprocessor',
        "did you mean 'lzu_mm.ZoomDetDataPreprocessor'?",
    ),
    (
        'browse_zoom {d}/det.py --not-show --output-dir {d}/p --cfg-options '
        'model.data_preprocessor.zoom.scal=1',
        'scal',
    ),
    (
        'browse_zoom {d}/det.py --not-show --output-dir {d}/p --cfg-options '
        'model.data_preprocessor.zoom.anti_crop=no',
        'zoom.anti_crop must be True or False',
    ),
    *[
        (f'train {{d}}/small.py --work-dir {{d}}/small --cfg-options {setting}', words)
        for setting, words in SETTINGS
    ],
    # test
    ('test {d}/small.py {d}/empty.pth --work-dir {d}/w', 'the config has no test_dataloader'),
    ('test {d}/det.py {d}/empty.pth --work-dir {d}/w --tta', 'no test_dataloader'),
    ('test {d}/det.py {d}/none.pth', 'no checkpoint at {d}/none.pth'),
    ('test {d}/det.py {d}/broken.pth --work-dir {d}/w', '{d}/broken.pth'),
    ('test {d}/det.py {d}/list.pth --work-dir {d}/w', 'holds a list'),
    ('test {d}/det.py {d}/empty.pth --out {d}/boxes.json', 'boxes.json exists'),
    ('test {d}/det.py {d}/empty.pth --out {d}/new.txt', 'must end in .pkl'),
    ('test {d}/det.py {d}/empty.pth --out {d}/file/new.pkl --work-dir {d}/w', '{d}/file'),
    ('test {d}/det.py {d}/empty.pth --work-dir {d}/file/w', '{d}/file'),
    ('test {d}/det.py {d}/empty.pth --show-dir {d}/shown', 'default_hooks.visualization'),
    ('test {d}/det.py {d}/empty.pth --fps 30', 'are for --streaming'),
    ('test {d}/det.py {d}/empty.pth --streaming', '--streaming needs --fps'),
    ('test {d}/det.py {d}/empty.pth --wait-time long', 'invalid float'),
    ('test {d}/det.py {d}/broken.onnx --tta', '--tta merges views'),
    # compute_saliency
    ('compute_saliency {d}/det.py', 'set --out'),
    ('compute_saliency {d}/det.py --out {d}/out.txt', 'ends in .npz'),
    ('compute_saliency {d}/det.py --out {d}/file/out.npz', '{d}/file'),
    ('compute_saliency {d}/det.py --out {d}/o.npz --split test', '--allow-evaluation-split'),
    (
        'compute_saliency {d}/det.py --out {d}/o.npz --split test --allow-evaluation-split',
        'no test_dataloader',
    ),
    ('compute_saliency {d}/det.py --out {d}/o.npz --method eyes', 'invalid choice'),
    ('compute_saliency {d}/det.py --out {d}/o.npz --grid-shape 3', 'expected 2 arguments'),
    ('compute_saliency {d}/det.py --out {d}/o.npz --grid-shape 1 1', 'grid_shape must be'),
    ('compute_saliency {d}/det.py --out {d}/o.npz --bandwidth 0', 'bandwidth'),
    (
        f'compute_saliency {{d}}/det.py --out {{d}}/o.npz --cfg-options {DATA}.ann_file=none.json',
        'none.json',
    ),
    (
        'compute_saliency {d}/det.py --out {d}/o.npz --cfg-options '
        f'{DATA}.ann_file=broken.json',
        'data_root',
    ),
    (
        f'compute_saliency {{d}}/det.py --out {{d}}/o.npz --cfg-options {DATA}.ann_file=flat.json',
        'flat.json: there are no boxes to use in 1 images',
    ),
    (
        f'compute_saliency {{d}}/det.py --out {{d}}/o.npz --cfg-options {DATA}.type=CocoDatset',
        "did you mean 'CocoDataset'?",
    ),
    (
        'compute_saliency {d}/det.py --out {d}/o.npz --cfg-options train_dataloader=3',
        'no train_dataloader with a dataset',
    ),
    ('compute_saliency {d}/det.py --out {d}/o.npz --sigma 1 1', 'nothing for --method boxes'),
    # browse_zoom
    ('browse_zoom --image {d}/image.png --saliency uniform --width 0', '--width is a number'),
    ('browse_zoom', 'give either a config'),
    ('browse_zoom --image {d}/image.png', '--image and --saliency belong together'),
    ('browse_zoom --image {d}/none.png --saliency uniform', 'none.png'),
    ('browse_zoom --image {d}/broken.png --saliency uniform --output-dir {d}/p', 'broken.png'),
    ('browse_zoom --image {d}/image.png --saliency learned --output-dir {d}/p', 'trained model'),
    ('browse_zoom --image {d}/image.png --saliency horizon:9 --output-dir {d}/p', 'saliency.row'),
    ('browse_zoom --image {d}/image.png --saliency up', 'is none of'),
    ('browse_zoom --image {d}/image.png --saliency fixed:map', 'needs the path'),
    (
        'browse_zoom --image {d}/image.png --saliency fixed:{d}/none.npz --output-dir {d}/p',
        'none.npz',
    ),
    (
        'browse_zoom --image {d}/image.png --saliency uniform --scale 0 --output-dir {d}/p',
        'zoom.scale must be',
    ),
    ('browse_zoom --image {d}/image.png --saliency uniform --output-dir {d}/file', '{d}/file'),
    ('browse_zoom {d}/plain.py --not-show --output-dir {d}/p', 'does not zoom'),
    ('browse_zoom {d}/det.py --phase test --not-show --output-dir {d}/p', 'no test_dataloader'),
    (
        f'browse_zoom {{d}}/det.py --not-show --output-dir {{d}}/p --cfg-options {DATA}.ann_file=a',
        'data_root',
    ),
    (
        'browse_zoom {d}/det.py --not-show --output-dir {d}/p --cfg-options '
        f'{DATA}.ann_file=absent.json',
        'none.png',
    ),
    (
        'browse_zoom {d}/det.py --not-show --output-dir {d}/p --cfg-options '
        f'{DATA}.ann_file=unreadable.json',
        'broken.png',
    ),
    # convert_saliency
    ('convert_saliency {d}/none.pkl {d}/out.npz', 'none.pkl'),
    ('convert_saliency {d}/broken.pth {d}/out.npz', 'no pickled tensor'),
    ('convert_saliency {d}/list.pkl {d}/out.npz', 'list'),
    ('convert_saliency {d}/nan.pkl {d}/out.npz', 'finite'),
    ('convert_saliency {d}/cube.pkl {d}/out.npz', 'map'),
    ('convert_saliency {d}/map.pkl {d}/out.npy', '.npz'),
    ('convert_saliency {d}/map.pkl {d}/boxes.json', '--overwrite'),
    ('convert_saliency {d}/map.pkl {d}/file/out.npz', '{d}/file'),
    ('convert_saliency {d}/map.pkl {d}/out.npz --info word', "takes KEY=VALUE, not 'word'"),
    # zoomify
    *[
        (f'zoomify {{d}}/{config} --scale 0.5 --saliency uniform -o {{d}}/lzu.py', words)
        for config, words in [('none.py', 'no config at'), ('syntax.py', 'cannot be the base'),
                              ('stock.py', 'cannot be the base'), ('tagged.py', 'python/object')]
    ],
    ('zoomify mmdet::none.py --scale 0.5 --saliency uniform -o {d}/lzu.py', 'cannot be the base'),
    ('zoomify {d}/plain.py --scale 0 --saliency uniform -o {d}/lzu.py', 'zoom.scale must be'),
    ('zoomify {d}/plain.py --size 0 5 --saliency uniform -o {d}/lzu.py', 'zoom.size must be'),
    ('zoomify {d}/plain.py --saliency uniform -o {d}/lzu.py', '--scale --size'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency up -o {d}/lzu.py', 'is none of'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency horizon:x -o {d}/lzu.py', 'horizon:ROW'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency uniform -o {d}/lzu.txt', 'ends in .py'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency uniform -o {d}/plain.py', 'the base config'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency uniform -o {d}/base.py', '--overwrite'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency uniform -o {d}/file/lzu.py', '{d}/file'),
    ('zoomify {d}/plain.py --scale 0.5 --saliency uniform -o {d}/lzu.py --frame 0', 'frame'),
    # video_demo
    ('video_demo {d}/none.mp4 {d}/det.py {d}/empty.pth --out {d}/o.mp4', 'no file {d}/none.mp4'),
    ('video_demo {d}/broken.mp4 {d}/det.py {d}/none.pth --out {d}/o.mp4', 'no file {d}/none.pth'),
    ('video_demo {d}/broken.mp4 {d}/none.py {d}/empty.pth --out {d}/o.mp4', 'no file {d}/none.py'),
    ('video_demo {d}/broken.mp4 {d}/det.py {d}/empty.pth --out {d}/o.mp4', 'cannot open'),
    ('video_demo {d}/broken.mp4 {d}/det.py {d}/empty.pth --out {d}/o.avi', 'must end in .mp4'),
    ('video_demo {d}/broken.mp4 {d}/det.py {d}/empty.pth --out {d}/file/o.mp4', '{d}/file'),
    ('video_demo {d}/broken.mp4 {d}/det.py {d}/empty.pth', 'set --out'),
    ('video_demo {d}/a {d}/b {d}/c --out {d}/broken.mp4 --overwrite', 'no file {d}/a'),
    ('video_demo {d}/a {d}/b {d}/c --out {d}/o.mp4 --width 0', '--width is a number'),
    # export_onnx
    ('export_onnx {d}/none.py {d}/empty.pth --size 9 9 --out {d}/o.onnx', 'no file {d}/none.py'),
    ('export_onnx {d}/det.py {d}/none.pth --size 9 9 --out {d}/o.onnx', 'no file {d}/none.pth'),
    ('export_onnx {d}/det.py {d}/empty.pth --size 9 --out {d}/o.onnx', 'expected 2 arguments'),
    ('export_onnx {d}/det.py {d}/empty.pth --size 9 9 --out {d}/broken.onnx', 'exists'),
    ('export_onnx {d}/det.py {d}/empty.pth --size 9 9 --out {d}/file/o.onnx', '{d}/file'),
    ('export_onnx {d}/syntax.py {d}/empty.pth --size 9 9 --out {d}/o.onnx', 'cannot read the con'),
    # converters
    ('dataset_converters/camvid {d}/none {d}/out', 'no folder'),
    ('dataset_converters/gtsdb {d}/none {d}/out', 'none'),
]  # fmt: skip


def use(tool, *arguments):
    """Run a tool in this process: the status and the message that it ends with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [tool, *arguments])
        patch.setenv('LOCAL_RANK', '0')
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
    return end.value.code, str(end.value)


@pytest.mark.parametrize(('command', 'words'), CASES)
def test_wrong_uses(bad, capsys, monkeypatch, command, words):
    monkeypatch.setattr(logging, 'raiseExceptions', False)  # loggers outlive the capture
    before = {path: path.read_bytes() for path in bad.glob('*') if path.is_file()}
    status, _ = use(*command.format(d=bad).split())
    printed = capsys.readouterr().err
    assert status == 2
    assert words.format(d=bad) in ' '.join(printed.split())
    assert 'Traceback' not in printed
    assert 'weights_only' not in printed
    assert printed.splitlines()[-1].startswith('error: ') or ': error: ' in printed
    kept = {path: path.read_bytes() for path in before}
    assert kept == before


def failing(error):
    def main():
        raise error

    return main


def end_of(main, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['tool', *arguments])
        with pytest.raises(SystemExit) as end:
            run_tool(main)
    return end.value.code


def test_a_tool_that_ends_well_ends_so():
    assert run_tool(lambda: 3) == 3


def test_mistakes_of_ours_keep_their_traceback():
    def mistake():
        return [][1]

    def slipped():
        int('x')

    for main, kind in ((mistake, IndexError), (slipped, ValueError)):
        with pytest.raises(kind):
            run_tool(main)


def test_errors_of_others_keep_their_traceback():
    with pytest.raises(json.JSONDecodeError):
        run_tool(lambda: json.loads('{'))


def test_the_traceback_is_shown_on_demand(capsys):
    assert end_of(failing(ValueError('no such thing'))) == 2
    assert capsys.readouterr().err == 'error: no such thing (--traceback shows where)\n'
    assert end_of(failing(ValueError('no such thing')), '--traceback') == 2
    shown = capsys.readouterr().err
    assert shown.startswith('Traceback')
    assert shown.endswith('error: no such thing\n')


def test_ctrl_c_and_a_closed_pipe_are_no_errors(capsys, monkeypatch):
    assert end_of(failing(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ''
    monkeypatch.setattr('lzu_mm.engine.tool.ends_quietly', contextlib.nullcontext)
    with pytest.raises(BrokenPipeError):
        run_tool(failing(BrokenPipeError()))
    script = """
from lzu_mm.quiet import ends_quietly
with ends_quietly():
    print('a\\n' * 10**6)
"""
    tool = subprocess.Popen(
        [sys.executable, '-c', script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    tool.stdout.readline()
    tool.stdout.close()
    assert tool.stderr.read() == b''
    assert tool.wait() == 141


def test_ctrl_c_that_a_library_turns_into_an_error_is_still_none(capsys):
    def formats():
        try:
            raise KeyboardInterrupt
        except BaseException:
            raise SyntaxError('Failed to format the config file')  # noqa: B904

    assert end_of(formats) == 130
    assert capsys.readouterr().err == ''


def test_a_training_that_is_interrupted_ends_quietly(tmp_path, request):
    training = start(train_on, tmp_path)
    request.addfinalizer(training.kill)
    while not list(tmp_path.glob('epoch_*.pth')) and training.is_alive():
        time.sleep(0.01)
    os.kill(training.pid, signal.SIGINT)
    training.join(60)
    assert training.exitcode == 130
    assert 'Traceback' not in (tmp_path / 'errors').read_text()


def train_on(folder):
    with (folder / 'errors').open('w') as errors:
        os.dup2(errors.fileno(), sys.stderr.fileno())
    run_tool(lambda: test_checkpoints.train(folder, 100000))


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        (['dist_train.sh', RETINANET, 'two'], "GPUS must be a whole number, 1 or more, not 'two'"),
        (['dist_train.sh', RETINANET, '0'], "GPUS must be a whole number, 1 or more, not '0'"),
        (['dist_train.sh', RETINANET, '--amp'], "not '--amp'"),
        (['dist_train.sh', 'none.py', '2'], 'no config at none.py'),
        (['dist_test.sh', RETINANET, 'none.pth', '2'], 'no checkpoint at none.pth'),
        (['dist_test.sh', 'none.py', 'none.pth', '2'], 'no config at none.py'),
        (['dist_test.sh', RETINANET, RETINANET, '1.5'], "not '1.5'"),
    ],
)
def test_launchers_check_their_arguments(command, words):
    process = call(*command)
    assert process.returncode == 2
    assert process.stdout.startswith('error: ')
    assert words in process.stdout


@pytest.mark.parametrize(
    ('name', 'value'), [('GPUS', 'all'), ('GPUS_PER_NODE', '0'), ('CPUS_PER_TASK', 'x')]
)
def test_slurm_launchers_check_their_variables(name, value):
    process = call('slurm_train.sh', 'partition', 'job', RETINANET, **{name: value})
    assert process.returncode == 2
    assert f"error: {name} must be a whole number, 1 or more, not '{value}'" in process.stdout


def test_without_slurm_the_launcher_says_so():
    process = call('slurm_train.sh', 'partition', 'job', RETINANET)
    assert process.returncode == 2
    assert 'error: no srun' in process.stdout


@pytest.mark.parametrize('workers', [0, 1])
def test_a_broken_image_ends_a_training_in_one_line(bad, tmp_path, capsys, workers):
    """In this process, and in one of the data loader, whose traceback comes as text."""
    det = Config.fromfile(str(bad / 'det.py')).train_dataloader
    det.dataset.ann_file = 'unreadable.json'
    cfg = test_checkpoints.config(tmp_path, default_scope='mmdet')
    cfg.train_dataloader = dict(det, num_workers=workers)
    assert end_of(lambda: build_runner(cfg).train()) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if 'error: ' in line]
    assert 'broken.png' in line


def test_the_advice_of_torch_reaches_nobody(tmp_path, capsys):
    path = tmp_path / 'hostile.pth'
    torch.save(dict(state_dict={}, run=os.getcwd), path)
    assert end_of(lambda: read_checkpoint(str(path))) == 2
    message = capsys.readouterr().err
    assert 'hostile.pth' in message
    assert 'weights_only' not in message
