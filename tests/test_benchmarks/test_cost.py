"""benchmarks/cost.py and benchmarks/warps.py: what they report, not how long it takes."""

import json

import pytest
from mmengine.config import ConfigDict

from cost import without_pretrained
from report.results import Run, append_run
from timing.stages import STAGES

from ..test_tools.launching import call, succeed

CONFIGS = [
    f'configs/retinanet/{name}_retinanet_r18_fpn_mini-street-0.25x.py'
    for name in ('uniform', 'lzu-adaptive', 'lzu-learned')
]
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
