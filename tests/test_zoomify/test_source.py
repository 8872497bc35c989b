import subprocess
import sys
from pathlib import Path

from mmengine.config import Config

from lzu_mm.zoomify import child_source, difference, settings_of

ROOT = Path(__file__).resolve().parents[2]
BASE = dict(
    pipeline=[dict(type='A', size=(1, 2)), dict(type='B')],
    model=dict(type='M', neck=[dict(type='N', a=1), dict(type='O')], test=dict(mode='x', crop=1)),
    train_dataloader=dict(dataset=dict(pipeline=[dict(type='A', size=(1, 2)), dict(type='B')])),
    nothing=None,
)


def changed(**settings):
    return {**BASE, **settings}


def test_only_what_differs_is_set():
    child = changed(model={**BASE['model'], 'type': 'Z', 'depth': 3})
    assert difference(BASE, child) == dict(model=dict(type='Z', depth=3))
    assert difference(BASE, BASE) == {}
    # MMEngine merges dicts, and none into what is no dict.
    assert difference(BASE, changed(nothing=dict(a=1))) == dict(nothing=dict(_delete_=True, a=1))
    model = {**BASE['model'], 'test': dict(mode='whole')}
    expected = dict(model=dict(test=dict(_delete_=True, mode='whole')))
    assert difference(BASE, changed(model=model)) == expected
    assert difference(dict(a=1, b=True), dict(a=1.0, b=1)) == dict(a=1.0, b=1)


def written(base, child, notes=()):
    return child_source('./base.py', base, child, 'A title.', dict(notes))


def test_the_source_says_the_settings_again(tmp_path):
    pipeline = [dict(type='A', size=(3,)), dict(type="it's", keys=['k' * 40, 'l' * 40, 'm' * 40])]
    neck = dict(type='U', inner=BASE['model']['neck'])
    child = changed(
        custom_imports=dict(imports=['math'], allow_failed_imports=False),
        pipeline=pipeline,
        model=dict(type='M', neck=neck, test=dict(mode='whole'), odd={'a b': 1, 'if': None}),
        train_dataloader=dict(dataset=dict(pipeline=pipeline)),
        val_dataloader=dict(sampler=dict(type='S')),
        test_dataloader=dict(sampler=dict(type='S')),
    )
    source = written(BASE, child)
    (tmp_path / 'base.py').write_text(f'globals().update({BASE!r})')
    (tmp_path / 'child.py').write_text(source)
    assert settings_of(Config.fromfile(tmp_path / 'child.py')) == child
    for line in (
        "    neck=dict(_delete_=True, type='U', inner=_base_.model.neck),",
        'train_dataloader = dict(dataset=dict(pipeline=pipeline))',
        'test_dataloader = val_dataloader',
    ):
        assert line in source.splitlines()
    assert max(map(len, source.splitlines())) <= 100


def test_lines_break_as_ruff_breaks_them():
    command = [sys.executable, '-m', 'ruff', 'format', '--config', ROOT / 'pyproject.toml', '-']
    for length in range(50, 84, 3):
        name = 'x' * length
        inner = [dict(type=name), dict(type='Y', size=(1,))]
        neck = dict(type='U', inner=inner, levels=(2, 3), odd={'a b': name, 'if': [1, 'c' * 50]})
        source = written(dict(model={}), dict(model=dict(neck=neck, c=dict(type=name, b=(1,)))))
        ruff = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
        assert source == ruff.stdout


def test_notes_stand_above_their_setting():
    source = written(dict(model={}), dict(model=dict(a=1)), {'model': ['Why.', 'And why.']})
    assert source == "# A title.\n_base_ = './base.py'\n\n# Why. And why.\nmodel = dict(a=1)\n"
