"""Results files, their tables and pictures."""

import json

import cv2
import pytest

from report.plots import method_of
from report.results import Run, append_run, paired_difference, read_runs, summarise, timed
from report.tables import labels
from report.write import read_latencies, write_report

AP, AP_S = 'coco/bbox_mAP', 'coco/bbox_mAP_s'
RUNS = [
    Run('uniform_a', 0, {}, False, {AP: 0.10, AP_S: 0.01}, 60.0, {'commit': 'abc'}),
    Run('lzu_a', 0, {'zoom.fwhm': '4'}, False, {AP: 0.2, AP_S: 0.05}),
    Run('uniform_a', 1, {}, False, {AP: 0.14, AP_S: 0.03}),
    Run('uniform_a', 1, {}, True, {AP: 0.5, AP_S: 0.5}),
    Run('pspnet', 0, {}, False, {'mIoU': 0.9}),
]


@pytest.fixture
def results(tmp_path):
    path = tmp_path / 'made' / 'results.jsonl'
    for run in RUNS:
        append_run(path, run)
    return path


def test_runs_come_back(results):
    assert read_runs(results) == RUNS
    assert read_runs(results.with_name('none.jsonl')) == []


def test_runs_that_differ_by_their_seed_are_one_row():
    summaries = summarise(RUNS)
    assert labels(summaries) == ['uniform_a', 'lzu_a (fwhm=4)', 'uniform_a', 'pspnet']
    first = summaries[0]
    assert first.seeds == [0, 1]
    assert first.mean(AP) == pytest.approx(0.12)
    assert first.std(AP) == pytest.approx(0.02 * 2**0.5)
    assert summaries[1].std(AP) is None


def test_what_all_rows_share_is_not_in_their_names():
    shared = {'load_from': 'a.pth'}
    options = shared, {**shared, 'zoom.scale': '1'}
    runs = [Run(name, 0, o, False, {AP: 0.1}) for name, o in zip(('one', 'two'), options)]
    assert labels(summarise(runs)) == ['one', 'two (scale=1)']
    assert labels(summarise(runs[:1])) == ['one']
    assert labels([]) == []


def test_what_changes_all_models_is_in_their_names():
    # Configs named 128x128 were trained at 64x64.
    options = {'load_from': 'a.pth', 'model.data_preprocessor.zoom.size': '64,64'}
    runs = [Run(name, 0, options, False, {AP: 0.1}) for name in ('one_128x128', 'two_128x128')]
    names = ['one_128x128 (size=64,64)', 'two_128x128 (size=64,64)']
    assert labels(summarise(runs)) == names


def test_report(results, tmp_path):
    write_report(results)
    table = results.with_suffix('.md').read_text().splitlines()
    assert table[0] == '| config | seeds | bbox_mAP | bbox_mAP_s | mIoU |'
    assert table[2] == '| uniform_a | 2 | 12.0 ± 2.8 | 2.0 ± 1.4 |  |'
    assert table[3] == '| lzu_a (fwhm=4) | 1 | 20.0 | 5.0 |  |'
    assert table[5] == '| pspnet | 1 |  |  | 0.9 |'
    lines = results.with_suffix('.csv').read_text().splitlines()
    assert lines[1] == 'uniform_a,2,12.0 ± 2.8,2.0 ± 1.4,'
    assert not results.with_suffix('.png').exists()


def test_differences_are_taken_seed_by_seed(tmp_path):
    uniform = {0: 0.100, 1: 0.200, 2: 0.300}
    lzu = {2: 0.350, 0: 0.130, 1: 0.240, 3: 0.9}
    runs = [
        Run(config, seed, {}, False, {AP: ap})
        for config, aps in (
            ('uniform', uniform),
            ('lzu', lzu),
            ('other', {7: 0.5}),
            ('one', {1: 0.3}),
        )
        for seed, ap in aps.items()
    ]
    baseline, gain, other, one = summarise(runs)
    # 0.03, 0.04, 0.05: a deviation of 0.01 among three.
    assert paired_difference(gain, baseline, AP) == pytest.approx((0.04, 0.01 / 3**0.5))
    assert paired_difference(one, baseline, AP) == (pytest.approx(0.1), None)
    assert paired_difference(other, baseline, AP) is None
    path = tmp_path / 'results.jsonl'
    for run in runs:
        append_run(path, run)
    write_report(path, [AP], baseline='uniform', decimals=2)
    rows = path.with_suffix('.md').read_text().splitlines()
    assert rows[0] == '| config | seeds | bbox_mAP | Δ bbox_mAP (standard error) |'
    assert rows[2:] == [
        '| uniform | 3 | 20.00 ± 10.00 |  |',
        '| lzu | 4 | 40.50 ± 34.20 | +4.00 (0.58) |',
        '| other | 1 | 50.00 |  |',
        '| one | 1 | 30.00 | +10.00 |',
    ]
    with pytest.raises(ValueError, match='no row is named nobody'):
        write_report(path, [AP], baseline='nobody')


def test_report_with_latencies(results, tmp_path):
    append_run(results, Run('lzu_a', 0, {'load_from': 'a.pth'}, False, {AP: 0.3}))
    append_run(results, Run('lzu_a', 0, {'model.antialias': 'True'}, False, {AP: 0.4}))
    plain = latency_file(tmp_path / 'plain.json', {}, uniform_a=7.04, lzu_a=9)
    other = latency_file(tmp_path / 'other.json', {'model.antialias': True}, lzu_a=12)
    write_report(results, [AP], [plain, other])
    table = results.with_suffix('.md').read_text().splitlines()
    assert table[2] == '| uniform_a | 2 | 12.0 ± 2.8 | 7.0 |'
    assert table[5] == '| pspnet | 1 |  |  |'
    # What is overridden outside the model leaves its latency as it is.
    assert table[6] == '| lzu_a (load_from=a.pth) | 1 | 30.0 | 9.0 |'
    assert table[7] == '| lzu_a (antialias=True) | 1 | 40.0 | 12.0 |'
    picture = cv2.imread(str(results.with_suffix('.png')))
    assert picture is not None and picture.std() > 10


def latency_file(path, options, **milliseconds):
    """A file as benchmarks/cost.py writes it."""
    times = [{'config': name, 'ms': {'total': ms}} for name, ms in milliseconds.items()]
    path.write_text(json.dumps({'settings': {'options': options}, 'results': times}))
    return path


def test_a_size_is_known_however_it_is_written():
    key = 'model.data_preprocessor.zoom.size'
    (one,) = {timed('a', {key: size}) for size in ('64,64', '(64, 64)', [64, 64], (64, 64))}
    assert one != timed('a', {key: '64,128'})


def test_a_method_has_one_name_at_all_scales():
    zoom = 'model.data_preprocessor.zoom'
    options = {}, {f'{zoom}.scale': '0.5'}, {f'{zoom}.size': '64,64'}, {f'{zoom}.antialias': 'True'}
    runs = [Run('lzu-fixed_a-0.25x', 0, o, False, {AP: 0.1}) for o in options]
    names = [method_of(summary) for summary in summarise(runs)]
    assert names == ['lzu-fixed'] * 3 + ['lzu-fixed antialias=True']


def test_bad_files_and_metrics_are_named(results, tmp_path):
    with pytest.raises(ValueError, match=r"\['coco/segm_mAP'\].*'coco/bbox_mAP'"):
        write_report(results, ['coco/segm_mAP'])
    with results.open('a') as file:
        file.write('{"config": "cut o')
    with pytest.raises(ValueError, match=r'line 6 of .*results\.jsonl'):
        read_runs(results)
    with pytest.raises(ValueError, match=r'benchmarks/cost\.py'):
        read_latencies(tmp_path / 'none.json')
