"""The wheel, as somebody has it who never sees the repository."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml

from benchmarks.report.results import read_runs

from .conftest import ROOT
from .test_tools.test_train_test import RETINANET_SHORT

BUILD = 'import setuptools.build_meta as b; b.build_{}(r"{}")'


def run(*command, cwd, **env):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, 'PYTHONPATH': '', **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """A folder with the package, from a wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp('build')
    source = folder / 'source'
    source.mkdir()
    for name in (
        'setup.py',
        'pyproject.toml',
        'MANIFEST.in',
        'README.md',
        'LICENSE',
        'model-index.yml',
    ):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for name in ('lzu_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    run('-c', BUILD.format('sdist', folder), cwd=source)
    (sdist,) = folder.glob('*.tar.gz')
    shutil.unpack_archive(sdist, folder, filter='data')
    run('-c', BUILD.format('wheel', folder), cwd=folder / sdist.name.removesuffix('.tar.gz'))
    (wheel,) = folder.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / 'site')
    return folder / 'site'


def test_the_wheel_carries_what_the_repository_has(site):
    for name in ('configs', 'tools'):
        kept = {p.relative_to(ROOT / name) for p in (ROOT / name).rglob('*') if p.is_file()}
        found = {
            p.relative_to(site / 'lzu_mm/.mim' / name)
            for p in site.rglob(f'.mim/{name}/**/*')
            if p.is_file()
        }
        assert found == {path for path in kept if '__pycache__' not in path.parts}
    assert (site / 'lzu_mm/py.typed').exists()
    assert (site / 'lzu_mm/.mim/model-index.yml').exists()
    assert 'lzu-mm = lzu_mm.cli:main' in next(site.glob('*.dist-info/entry_points.txt')).read_text()


def test_it_trains_outside_the_repository(site, mini_street, tmp_path):
    """With a base of the wheel, by the console script."""
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'lzu_mm::retinanet/uniform_retinanet_r18_fpn_mini-street-0.25x.py'\n"
    )
    options = [*RETINANET_SHORT, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=2']
    run(
        '-m', 'lzu_mm.cli', 'train', 'mine.py', '--cfg-options', *options,
        cwd=tmp_path, PYTHONPATH=str(site), MINI_STREET=str(mini_street), OMP_NUM_THREADS='1',
    )  # fmt: skip
    assert (tmp_path / 'work_dirs/mine/epoch_1.pth').exists()
    assert str(site) in run(
        '-c', 'import lzu_mm; print(lzu_mm.__file__)', cwd=tmp_path, PYTHONPATH=str(site)
    )


def test_the_console_script_lists_its_commands(site, tmp_path):
    listed = run('-m', 'lzu_mm.cli', cwd=tmp_path, PYTHONPATH=str(site))
    for line in (
        'train             Train a model of MMDetection, MMSegmentation or MMDetection3D',
        'dist-train        Train on several GPUs',
        'convert-gtsdb ',
        'zoomify ',
    ):
        assert line in listed
    assert 'run-tests' not in listed


def test_a_misspelt_command_is_told(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'lzu_mm.cli', 'zoomfy'], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no command 'zoomfy'; did you mean 'zoomify'?" in done.stderr


def metafiles():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return index['Import']


# Where the figures of a task and a data set are, and as what.
MEASURED = {
    ('Object Detection', 'GTSDB'): ('gtsdb_yolox', 'coco/bbox_mAP', 'box AP', 100),
    ('Object Detection', 'mini-street'): ('mini_street_retinanet', 'coco/bbox_mAP', 'box AP', 100),
    ('Semantic Segmentation', 'mini-street'): ('mini_street_pspnet', 'mIoU', 'mIoU', 1),
}


@pytest.mark.parametrize('path', metafiles())
def test_metafiles_say_what_was_measured(path):
    """The figures of metafiles are means of recorded runs without options."""
    for model in yaml.safe_load((ROOT / path).read_text())['Models']:
        (result,) = model['Results']
        file, key, metric, factor = MEASURED[result['Task'], result['Dataset']]
        runs = read_runs(ROOT / f'benchmarks/results/{file}.jsonl')
        values = [
            factor * run.metrics[key]
            for run in runs
            if run.config == model['Name'] and not set(run.options) - {'load_from'}
        ]
        assert len(values) == 3
        assert result['Metrics'] == {metric: pytest.approx(sum(values) / 3, abs=0.051)}


def test_the_index_has_every_metafile_and_these_every_field():
    assert sorted(metafiles()) == sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / 'configs').rglob('metafile.yml')
    )
    contents = [yaml.safe_load((ROOT / path).read_text()) for path in metafiles()]
    collections = [each for content in contents for each in content.get('Collections', [])]
    for collection in collections:
        assert (ROOT / collection['README']).exists()
        assert collection['Paper'].keys() == {'URL', 'Title'}
    models = [model for content in contents for model in content['Models']]
    names = [model['Name'] for model in models]
    assert len(set(names)) == len(names)
    for model in models:
        assert model['In Collection'] in [each['Name'] for each in collections]
        config = ROOT / model['Config']
        assert config.exists()
        assert config.stem == model['Name']
