"""benchmarks/experiment.py, from training to the table."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
from experiment import Grid

from ..test_tools.launching import call, succeed
from ..test_tools.test_train_test import RETINANET_SHORT

TOOL = 'benchmarks/experiment.py'
UNIFORM = 'configs/retinanet/uniform_retinanet_r18_fpn_mini-street-0.25x.py'
NAME = 'uniform_retinanet_r18_fpn_mini-street-0.25x'
OPTIONS = ['--cfg-options', *RETINANET_SHORT, 'train_cfg.max_epochs=1']


@pytest.mark.slow
def test_a_grid_is_run_once(mini_street, tmp_path):
    results = tmp_path / 'results.jsonl'
    grid = [
        TOOL, UNIFORM, '--seeds', 3, 4, '--jobs', 2, '--work-dir', tmp_path / 'work',
        '--results', results, *OPTIONS,
    ]  # fmt: skip
    output = succeed(*grid, mini_street=mini_street)
    assert '2 runs, 0 in' in output
    runs = [json.loads(line) for line in results.read_text().splitlines()]
    assert {(run['config'], run['seed']) for run in runs} == {(NAME, 3), (NAME, 4)}
    for run in runs:
        assert 0 <= run['metrics']['coco/bbox_mAP'] <= 1
        assert run['train_s'] > 0
        assert run['options']['train_cfg.max_epochs'] == '1'
    (table,) = (line for line in output.splitlines() if NAME in line and '±' in line)
    assert table in results.with_suffix('.md').read_text()

    logs = sorted((tmp_path / 'work').rglob('train.log'))
    assert [f'seed={seed}' in log.read_text() for seed, log in zip((3, 4), logs)] == [True, True]
    written = [log.stat().st_mtime_ns for log in logs]
    assert '2 runs, 2 in' in succeed(*grid, mini_street=mini_street)
    assert [log.stat().st_mtime_ns for log in logs] == written

    # A run that was stopped before its test goes on from its checkpoint.
    results.write_text(json.dumps(runs[0]) + '\n')
    assert '2 runs, 1 in' in succeed(*grid, mini_street=mini_street)
    again = json.loads(results.read_text().splitlines()[1])
    assert again['metrics'] == runs[1]['metrics']
    assert again['train_s'] > runs[1]['train_s']

    # Its checkpoints are tested once more, without training.
    (folder,) = {str(log.parents[1]) for log in logs}
    only_test = [*grid[:9], '--results', tmp_path / 'tested.jsonl', '--checkpoint']
    succeed(*only_test, folder + '/seed{seed}/epoch_1.pth', *OPTIONS, mini_street=mini_street)
    tested = [json.loads(line) for line in (tmp_path / 'tested.jsonl').read_text().splitlines()]
    by_seed = {run['seed']: run for run in tested}
    assert [by_seed[run['seed']]['metrics'] for run in runs] == [run['metrics'] for run in runs]
    assert {run['train_s'] for run in tested} == {None}
    checkpoint = Path(folder).name + '/seed{seed}/epoch_1.pth'
    assert {run['options']['checkpoint'] for run in tested} == {checkpoint}


def test_what_fails_is_told(mini_street, tmp_path):
    process = call(
        TOOL, UNIFORM, '--work-dir', tmp_path, '--results', tmp_path / 'r.jsonl',
        '--cfg-options', 'model.bbox_head.num_classes=three',
        mini_street=mini_street,
    )  # fmt: skip
    assert process.returncode == 2
    assert 'train.py ended with 2' in process.stdout
    assert '1 runs failed' in process.stdout
    assert not (tmp_path / 'r.jsonl').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((UNIFORM,), '--results'),
        (('--results', 'r.jsonl'), 'name the configs'),
        ((UNIFORM, '--results', 'r.csv'), r'ends in .jsonl'),
        (('none.py', '--results', 'r.jsonl'), 'no config at none.py'),
        ((UNIFORM, '--results', 'r.jsonl', '--jobs', 0), '--jobs must be at least 1'),
        ((UNIFORM, '--results', 'r.jsonl', '--cfg-options', 'a'), 'KEY=VALUE'),
        (
            (UNIFORM, '--results', 'r.jsonl', '--seeds', 0, 5, '--checkpoint', 'seed{seed}.pth'),
            'no checkpoint at seed0.pth',
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    process = call(TOOL, *arguments)
    assert process.returncode == 2
    assert message in process.stdout


@pytest.mark.parametrize(('set_by_hand', 'threads'), [(None, '3'), ('1', '1')])
def test_jobs_share_the_cores_unless_threads_are_set(monkeypatch, set_by_hand, threads):
    monkeypatch.setattr('os.cpu_count', lambda: 6)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    if set_by_hand:
        monkeypatch.setenv('OMP_NUM_THREADS', set_by_hand)
    assert Grid(Namespace(jobs=2)).variables(0)['OMP_NUM_THREADS'] == threads
