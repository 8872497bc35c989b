"""What docs/start.md and docs/own_data.md tell a newcomer, on real images that are made tiny."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from mmengine.registry import MODELS
from PIL import Image

from lzu_mm.engine import load_config
from lzu_mm.saliency import save_saliency

from .conftest import ROOT
from .models import scoped, stock_config

# Calls of lzu-mm, one after the other in one process, which imports the libraries once.
CALLS = """
import shlex, sys
from lzu_mm.cli import main
for line in sys.stdin:
    print('$', line, end='', flush=True)
    sys.argv = shlex.split(line)
    main()
"""
START = (ROOT / 'docs/start.md').read_text()
OWN_DATA = (ROOT / 'docs/own_data.md').read_text()
SMALL = """
model.update(backbone=dict(depth=18, init_cfg=None))
model.update(neck=dict(in_channels=[64, 128, 256, 512], out_channels=32))
model['bbox_head'].update(in_channels=32, feat_channels=32)
train_cfg = dict(max_epochs=1)
"""
STREET = '00000.webp'
CLASSES = ('prohibitory', 'mandatory', 'danger', 'other')


def commands(text):
    """The lines of the bash blocks, continued ones in one."""
    blocks = ''.join(re.findall(r'```bash\n(.*?)```', text, re.DOTALL))
    return blocks.replace('\\\n', ' ').splitlines()


def follow(lines, folder):
    """Run commands in a folder; returns what they printed."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', CALLS],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        input='\n'.join(lines),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def shrink(annotations, images, to, name):
    """Two images with signs, at a quarter of their size, in the layout of the page."""
    data = json.loads(annotations.read_text())
    kept = sorted({each['image_id'] for each in data['annotations']})[:2]
    data['images'] = [each for each in data['images'] if each['id'] in kept]
    data['annotations'] = [each for each in data['annotations'] if each['image_id'] in kept]
    for each in data['images']:
        picture = Image.open(images / each['file_name'])
        each.update(file_name=f'{each["id"]}.png', width=340, height=200)
        picture.resize((340, 200)).save(to / 'images' / each['file_name'])
    for each in data['annotations']:
        each.update(bbox=[value / 4 for value in each['bbox']], area=each['area'] / 16)
    (to / name).write_text(json.dumps(data))


def replaced(text, **lines):
    """A config with other values, each of which it has once."""
    for name, value in lines.items():
        text, count = re.subn(rf'^{name} = .*$', f'{name} = {value}', text, flags=re.MULTILINE)
        assert count == 1, name
    return text


@pytest.fixture
def mine(shared_data, tmp_path):
    """The folder of somebody who has got as far as writing `mine.py`."""
    to = tmp_path / 'data/mine'
    (to / 'images').mkdir(parents=True)
    gtsdb = shared_data / 'gtsdb'
    shrink(gtsdb / 'train.json', gtsdb / 'images', to, 'train.json')
    shrink(gtsdb / 'test.json', gtsdb / 'images', to, 'val.json')
    # As on the page, but small, and without the weights, which are a download.
    config = replaced(
        re.search(r'```python\n(_base_.*?)```', OWN_DATA, re.DOTALL)[1],
        classes=CLASSES,
        size=(340, 200),
        load_from=None,
    )
    (tmp_path / 'mine.py').write_text(config + SMALL)
    return tmp_path


def section(page, heading):
    """From a heading to the next of its level."""
    return re.search(rf'^## {heading}$(.*?)^## ', page, re.DOTALL | re.MULTILINE)[1]


@pytest.mark.slow
def test_see_a_zoom_then_own_data_step_by_step(mine, shared_data):
    shutil.copy(shared_data / 'gtsdb/images' / STREET, mine / 'street.jpg')
    detection = section(OWN_DATA, 'Detection').replace('epoch_12', 'epoch_1')
    lines = commands(section(START, 'See a zoom')) + commands(detection)
    assert [line.split()[1] for line in lines] == [
        *('browse-zoom', 'zoomify', 'zoomify', 'compute-saliency', 'browse-zoom'),
        *('train', 'train', 'test', 'test'),
    ]
    said = follow(lines, mine)
    for line in commands((ROOT / 'docs/does_it_help.md').read_text()):
        assert line in lines
    assert (mine / 'work_dirs/browse_zoom/street.png').exists()
    assert (mine / 'data/saliency/mine.npz').exists()
    assert len(list((mine / 'work_dirs/lzu_mine/browse_zoom').iterdir())) == 2
    assert 'geometric mean' in said
    assert said.count('Evaluating bbox') == 4  # each model after its epoch, and by the test
    for name in ('lzu_mine', 'uniform_mine'):
        assert (mine / f'work_dirs/{name}/epoch_1.pth').exists()
    assert len(list((mine / 'predictions').iterdir())) == 2


def test_the_switch_builds_as_it_stands(tmp_path, monkeypatch):
    switch = re.search(r'```python\n(.*?)```', section(START, 'Switch it on'), re.DOTALL)[1]
    assert switch in (ROOT / 'README.md').read_text()
    monkeypatch.chdir(tmp_path)
    save_saliency('data/saliency/mine.npz', torch.ones(31, 51), {})
    (tmp_path / 'lzu.py').write_text(switch)
    scoped('mmdet')
    model = MODELS.build(load_config(tmp_path / 'lzu.py').model)
    stock = MODELS.build(stock_config('retinanet', small=False))
    assert model.state_dict().keys() == stock.state_dict().keys()
    image = torch.zeros(1, 3, 128, 256, dtype=torch.uint8)
    assert model.data_preprocessor(dict(inputs=image))['inputs'].shape[2:] == (64, 128)


@pytest.mark.parametrize(
    ('name', 'printed'),
    [
        ('detection', '100 boxes; image of (1200, 1920)'),
        ('segmentation', 'labels of (1024, 2048); image of (1024, 2048)'),
    ],
)
def test_a_notebook_runs_from_top_to_bottom(name, printed, mini_street):
    path = ROOT / 'docs/notebooks' / f'{name}.ipynb'
    cells = [c for c in json.loads(path.read_text())['cells'] if c['cell_type'] == 'code']
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', MPLBACKEND='Agg')
    environment['MINI_STREET'] = str(mini_street.resolve())
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', '\n'.join(''.join(c['source']) for c in cells)],
        cwd=path.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert printed in done.stdout
    # What is stored is of such a run, with its pictures.
    stored = [output for cell in cells for output in cell['outputs']]
    assert sum('image/jpeg' in output.get('data', {}) for output in stored) == 3
    assert printed + '\n' in [''.join(output.get('text', '')) for output in stored]
