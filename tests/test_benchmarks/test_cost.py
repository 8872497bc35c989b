"""benchmarks/cost.py and benchmarks/warps.py: what they report, not how long it takes."""

import json

import pytest
from mmengine.config import ConfigDict

from cost import without_pretrained
from report.results import Run, append_run
from timing.stages import STAGES

from ..test_tools.launching import call, succeed

NAMES = [
    f'{name}_retinanet_r18_fpn_mini-street-0.25x'
    for name in ('uniform', 'lzu-adaptive', 'lzu-learned')
]
CONFIGS = [f'configs/retinanet/{name}.py' for name in NAMES]
SHORT = ['--size', 120, 192, '--repeats', 2, '--warmup', 1, '--threads', 1]


def test_configs_are_timed_stage_by_stage(tmp_path):
    out = tmp_path / 'times.json'
    output = succeed('benchmarks/cost.py', *CONFIGS, *SHORT, '--out', out)
    uniform, adaptive, learned = json.loads(out.read_text())['results']
    for result in (uniform, adaptive, learned):
        assert list(result['stages_ms']) == list(STAGES)
        assert result['ms']['low'] <= result['ms']['total'] <= result['ms']['high']
        for stage in ('zoom', 'normalise and pad', 'backbone', 'inner neck', 'head'):
            assert result['stages_ms'][stage] > 0
    assert uniform['stages_ms']['saliency'] == 0
    assert min(r['stages_ms']['saliency'] for r in (adaptive, learned)) > 0
    assert uniform['gflops'] == pytest.approx(adaptive['gflops'], rel=1e-2)
    assert uniform['gflops'] > 0.05
    (row,) = (line for line in output.splitlines() if line.startswith('| uniform'))
    assert row.split('|')[-2].strip() == '1.000'
    assert 'init_weights' not in output

    process = call('benchmarks/cost.py', *CONFIGS, '--out', out)
    assert process.returncode == 2
    assert 'exists' in process.stdout

    results = tmp_path / 'results.jsonl'
    append_run(results, Run(uniform['config'], 0, metrics={'coco/bbox_mAP': 0.3}))
    succeed('benchmarks/cost.py', '--plot', results, '--out', out)
    assert f'{uniform["ms"]["total"]:.1f}' in results.with_suffix('.md').read_text()
    assert results.with_suffix('.png').is_file()


def test_the_variants_of_a_results_file_are_timed_in_one_run(tmp_path):
    results, out = tmp_path / 'results.jsonl', tmp_path / 'times.json'
    larger = {'model.data_preprocessor.zoom.scale': '0.75', 'train_cfg.max_epochs': '3'}
    for seed in range(2):
        append_run(results, Run(NAMES[0], seed, {}, metrics={'coco/bbox_mAP': 0.2}))
        append_run(results, Run(NAMES[0], seed, larger, metrics={'coco/bbox_mAP': 0.3}))
    output = succeed('benchmarks/cost.py', CONFIGS[0], *SHORT, '--variants', results, '--out', out)
    small, large = json.loads(out.read_text())['results']
    assert large['options'] == {'model.data_preprocessor.zoom.scale': '0.75'}
    assert large['gflops'] > 4 * small['gflops']
    assert '(scale=0.75)' in output

    succeed('benchmarks/cost.py', '--plot', results, '--out', out)
    rows = results.with_suffix('.md').read_text().splitlines()[2:]
    assert [f'{r["ms"]["total"]:.1f}' for r in (small, large)] == [
        row.split('|')[-2].strip() for row in rows
    ]

    process = call('benchmarks/cost.py', CONFIGS[1], '--variants', results)
    assert process.returncode == 2
    assert f'has no run of {NAMES[1]}' in process.stdout


def test_untrained_models_have_nothing_to_download():
    normal = dict(type='Normal', layer='Conv2d')
    model = ConfigDict(
        pretrained='open-mmlab://resnet50_v1c',
        backbone=dict(depth=50, init_cfg=dict(type='Pretrained', checkpoint='somewhere')),
        neck=[dict(type='FPN', init_cfg=dict(type='Pretrained', checkpoint='somewhere'))],
        bbox_head=dict(init_cfg=normal),
    )
    assert without_pretrained(model) == dict(
        backbone=dict(depth=50), neck=[dict(type='FPN')], bbox_head=dict(init_cfg=normal)
    )


@pytest.mark.parametrize('option', ['--compile', '--channels-last', '--amp'])
def test_other_ways_to_run(option):
    if option == '--compile':
        pytest.importorskip('torch._inductor')
    config = 'configs/pspnet/uniform_pspnet_r18-d8_mini-street-128x128.py'
    assert '| uniform_pspnet' in succeed('benchmarks/cost.py', config, *SHORT, option)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'name the configs'),
        (('none.py',), 'no config at none.py'),
        ((CONFIGS[0], '--checkpoints', 'a', 'b'), '2 --checkpoints for 1 configs'),
        ((CONFIGS[0], '--repeats', 1), '--repeats must be at least 2'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    process = call('benchmarks/cost.py', *arguments)
    assert process.returncode == 2
    assert message in process.stdout


def test_warps_are_timed_beside_the_plain_way(tmp_path):
    out = tmp_path / 'warps.json'
    succeed('benchmarks/warps.py', '--repeats', 2, '--threads', 1, '--out', out)
    results = json.loads(out.read_text())['results']
    assert len(results) == 11
    assert all(result['ours']['median'] > 0 < result['plain']['median'] for result in results)
