"""benchmarks/experiment.py: nothing is run twice, mixed up, or left behind."""

import fcntl
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from lzu_mm.engine import run_tool

from ..test_tools.launching import ROOT
from .processes import full_disk

sys.path.insert(0, str(ROOT / 'benchmarks'))
from report.results import Run, append_run, paired_difference, read_runs, summarise
from report.write import write_report

TOOL = 'benchmarks/experiment.py'
# Trains for ever; the stand-in for tools/train.py notes its process.
SLEEPER = 'import os, sys, time; open(sys.argv[1], "w").write(str(os.getpid())); time.sleep(600)'


def experiment():
    spec = importlib.util.spec_from_file_location('experiment', ROOT / TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules['experiment'] = module
    spec.loader.exec_module(module)
    return module


def config(folder, name='x.py'):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text('')
    return folder / name


def end_of(*arguments):
    """Run the tool: the status and the message that it ends with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['experiment.py', *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run_tool(experiment().main)
    return end.value.code, str(end.value)


def test_configs_of_one_name_are_refused(tmp_path, capsys):
    first, second = config(tmp_path / 'a'), config(tmp_path / 'b')
    status, message = end_of(first, second, '--results', tmp_path / 'r.jsonl')
    assert status == 2
    assert 'rename one' in message + capsys.readouterr().err


def test_the_folder_of_another_config_is_refused(tmp_path):
    module = experiment()
    job = module.Job(config(tmp_path / 'a'), 0, (), False, tmp_path / 'work')
    module.claim(job)
    module.claim(job)
    other = module.Job(config(tmp_path / 'b'), 0, (), False, tmp_path / 'work')
    with pytest.raises(SystemExit, match=r'a/x\.py, not of .*b/x\.py.*--work-dir'):
        module.claim(other)


def test_a_seed_that_is_named_twice_is_run_once(tmp_path, monkeypatch):
    path = str(config(tmp_path))
    monkeypatch.setattr(
        sys, 'argv', ['x', path, path, '--seeds', '0', '0', '1', '--results', 'r.jsonl']
    )
    module = experiment()
    jobs = module.jobs_of(module.parse_args())
    assert [job.seed for job in jobs] == [0, 1]


def test_a_second_experiment_on_the_same_results_is_refused(tmp_path):
    results = tmp_path / 'r.jsonl'
    with results.open('a') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, message = end_of(config(tmp_path), '--results', results)
    assert status == 2
    assert 'another experiment is writing the results' in message


def test_unwritable_results_are_noticed_before_the_work(tmp_path):
    (tmp_path / 'file').write_text('')
    status, message = end_of(config(tmp_path), '--results', tmp_path / 'file' / 'r.jsonl')
    assert status == 2
    assert 'error: cannot write the results' in message


def run(seed, config='x', **metrics):
    return Run(config, seed, metrics=metrics)


def test_what_was_not_measured_is_no_seed(tmp_path):
    results = tmp_path / 'r.jsonl'
    for each in (run(0, ap=0.1), run(1), run(2, ap=0.3), run(2, ap=0.3)):
        append_run(results, each)
    (summary,) = summarise(read_runs(results))
    assert summary.seeds == [0, 2]
    assert summary.metrics == {'ap': [0.1, 0.3]}


def test_seeds_are_paired_by_number_where_one_lacks_a_metric():
    ours = [run(0, 'a', ap=0.5, small=0.1), run(1, 'a', ap=0.5), run(2, 'a', ap=0.5, small=0.4)]
    theirs = [run(seed, 'b', ap=0.5, small=0.1) for seed in range(3)]
    summary, baseline = summarise([*ours, *theirs])
    assert paired_difference(summary, baseline, 'small')[0] == pytest.approx(0.15)
    assert summary.mean('small') == pytest.approx(0.25)


def test_contradicting_lines_are_refused(tmp_path):
    results = tmp_path / 'r.jsonl'
    append_run(results, run(0, ap=0.1))
    append_run(results, run(0, ap=0.2))
    with pytest.raises(ValueError, match=r'lines 1 and 2 of .*r\.jsonl'):
        read_runs(results)


def test_a_half_line_does_not_take_the_next_run_with_it(tmp_path):
    results = tmp_path / 'r.jsonl'
    results.write_text('{"config": "x", "se')
    append_run(results, run(0, ap=0.1))
    _, whole = results.read_text().splitlines()
    assert json.loads(whole)['metrics'] == {'ap': 0.1}
    with pytest.raises(ValueError, match='line 1'):
        read_runs(results)


def test_a_full_disk_leaves_the_report_that_was_there(tmp_path):
    results = tmp_path / 'r.jsonl'
    append_run(results, run(0, ap=0.1))
    for suffix in ('.md', '.csv'):
        results.with_suffix(suffix).write_text('old')
    with full_disk(0), pytest.raises(OSError, match='File too large'):
        write_report(results, ['ap'])
    assert [results.with_suffix(suffix).read_text() for suffix in ('.md', '.csv')] == ['old'] * 2
    write_report(results, ['ap'])
    assert '| x' in results.with_suffix('.md').read_text()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_full_disk_leaves_what_the_experiment_knows_of_a_training(tmp_path, monkeypatch):
    module = experiment()
    job = module.Job(config(tmp_path / 'a'), 0, (), False, tmp_path / 'work')
    module.claim(job)
    (job.folder / 'train_seconds').write_text('12.0')
    monkeypatch.setattr(module, 'call', lambda *_: None)
    with full_disk(0):
        module.claim(job)
        with pytest.raises(OSError, match='File too large'):
            module.train(job, {})
    assert (job.folder / 'config_path').read_text() == str(job.config)
    assert 12 <= module.train(job, {}) < 13


@pytest.mark.parametrize('pointer', ['', 'epoch_9.pth', None])
def test_the_last_checkpoint_is_tested_whatever_points_at_it(tmp_path, monkeypatch, pointer):
    module, calls = experiment(), []
    job = module.Job(config(tmp_path / 'a'), 0, (), False, tmp_path / 'work')
    job.folder.mkdir(parents=True)
    whole = dict(meta={}, state_dict={}, optimizer={}, message_hub={})
    torch.save(whole, job.folder / 'epoch_3.pth')
    if pointer is not None:
        (job.folder / 'last_checkpoint').write_text(pointer)
    monkeypatch.setattr(module, 'call', lambda *arguments: calls.append(arguments))
    with pytest.raises(RuntimeError, match='left no metrics'):
        module.test(job, {})
    assert calls[0][3] == str(job.folder / 'epoch_3.pth')


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT])
def test_children_end_with_the_experiment(tmp_path, number):
    note = tmp_path / 'pid'
    script = f"""
import runpy, subprocess, sys
popen = subprocess.Popen
def sleeper(command, **kwargs):
    return popen([sys.executable, '-c', {SLEEPER!r}, {str(note)!r}], **kwargs)
sys.argv = ['x', {str(config(tmp_path))!r}, '--seeds', '0', '1', '--results',
            {str(tmp_path / 'r.jsonl')!r}, '--work-dir', {str(tmp_path / 'work')!r}]
sys.path.insert(0, {str(ROOT / 'benchmarks')!r})
import report.environment
subprocess.Popen = sleeper
runpy.run_path({str(ROOT / TOOL)!r}, run_name='__main__')
"""
    process = subprocess.Popen([sys.executable, '-c', script], start_new_session=True)
    try:
        wait_for(lambda: note.exists() and note.read_text())
        child = int(note.read_text())
        process.send_signal(number)
        assert process.wait(60) == (130 if number == signal.SIGINT else -number)
        wait_for(lambda: not running(child))
        assert note.read_text() == str(child)  # the next run was not started
    finally:
        process.kill()


def wait_for(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError('it never came')


def running(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
