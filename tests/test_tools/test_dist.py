"""tools/dist_*.sh with two gloo processes, and the command lines of tools/slurm_*.sh."""

import os
import pickle

import pytest
import torch
from mmengine.config import Config

from .launching import ROOT, call, free_port, succeed

CONFIG = """
_base_ = '{root}/configs/retinanet/uniform_retinanet_r18_fpn_mini-street-0.25x.py'
custom_imports = dict(imports=['lzu_mm', 'save_each_rank'], allow_failed_imports=False)
custom_hooks = [dict(type='SaveEachRank')]
train_cfg = dict(max_epochs=1)
train_dataloader = dict(batch_size=1, num_workers=0, persistent_workers=False,
                        dataset=dict(indices=4))
val_dataloader = dict(batch_size=1, dataset=dict(indices=3))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.01))
model = dict(test_cfg=dict(score_thr=0.0))
"""

HOOK = """
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class SaveEachRank(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch, outputs=None):
        images = [sample.img_path for sample in data_batch['data_samples']]
        weights = dict(runner.model.named_parameters())
        torch.save((images, weights), f'{runner.work_dir}/rank{get_rank()}_{batch_idx}.pth')
"""


@pytest.fixture(scope='module')
def trained(mini_street, tmp_path_factory):
    """A folder with a config, and a training of it in two processes."""
    folder = tmp_path_factory.mktemp('dist')
    (folder / 'save_each_rank.py').write_text(HOOK)
    (folder / 'config.py').write_text(CONFIG.format(root=ROOT))
    succeed(
        'dist_train.sh', folder / 'config.py', 2, '--work-dir', folder,
        mini_street=mini_street, PYTHONPATH=str(folder), PORT=free_port(), CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    return folder


def test_ranks_see_other_images_and_keep_the_same_weights(trained):
    for iteration in range(2):
        images, weights = zip(*(torch.load(trained / f'rank{r}_{iteration}.pth') for r in range(2)))
        assert images[0] != images[1]
        for name, value in weights[0].items():
            assert torch.equal(value, weights[1][name]), name
    first, second = (torch.load(trained / f'rank0_{iteration}.pth')[1] for iteration in range(2))
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_two_processes_test_every_image_once(trained, mini_street, tmp_path):
    out = tmp_path / 'predictions.pkl'
    succeed(
        'dist_test.sh', trained / 'config.py', trained / 'epoch_1.pth', 2,
        '--work-dir', tmp_path, '--out', out,
        mini_street=mini_street, PYTHONPATH=str(trained), PORT=free_port(), CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    predictions = pickle.loads(out.read_bytes())
    assert sorted(prediction['img_id'] for prediction in predictions) == [0, 1, 2]


def test_what_learns_where_to_look_trains_with_the_defaults_of_ddp(mini_street, tmp_path):
    # No box is left in any image, so that no map depends on what is learned.
    config = CONFIG.replace('uniform_retinanet', 'lzu-learned-kde_retinanet').format(root=ROOT)
    (tmp_path / 'save_each_rank.py').write_text(HOOK)
    (tmp_path / 'config.py').write_text(config)
    succeed(
        'dist_train.sh', tmp_path / 'config.py', 2, '--work-dir', tmp_path, '--cfg-options',
        'model.data_preprocessor.zoom.saliency.drop_prob=1.0', 'val_dataloader=None',
        'val_cfg=None', 'val_evaluator=None',
        mini_street=mini_street, PYTHONPATH=str(tmp_path), PORT=free_port(),
        CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    assert not Config.fromfile(tmp_path / 'config.py', import_custom_modules=False).get(
        'find_unused_parameters'
    )
    first, second = (torch.load(tmp_path / f'rank{rank}_1.pth')[1] for rank in (0, 1))
    learned = [name for name in first if 'saliency.theta' in name]
    assert len(learned) == 2
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def srun(tmp_path):
    """A search path on which srun prints its arguments, one a line."""
    (tmp_path / 'srun').write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    return f'{tmp_path}:{os.environ["PATH"]}'


def test_slurm_train_asks_for_nodes_and_passes_arguments(srun):
    environment = dict(PATH=srun, GPUS='16', SRUN_ARGS='--time=1 --qos=low')
    output = succeed('slurm_train.sh', 'part', 'job', 'c.py', 'dir', '--amp', **environment)
    lines = output.splitlines()
    assert {'--partition=part', '--job-name=job', '--gres=gpu:8', '--ntasks=16'} <= set(lines)
    assert {'--ntasks-per-node=8', '--time=1', '--qos=low'} <= set(lines)
    tail = ['c.py', '--work-dir', 'dir', '--amp', '--launcher', 'slurm']
    assert lines[-7:] == [str(ROOT / 'tools/train.py'), *tail]


def test_slurm_train_without_work_dir(srun):
    output = succeed('slurm_train.sh', 'part', 'job', 'c.py', '--amp', PATH=srun, GPUS='2')
    lines = output.splitlines()
    assert '--gres=gpu:2' in lines
    assert lines[-4:] == ['c.py', '--amp', '--launcher', 'slurm']


def test_slurm_test_passes_arguments(srun):
    output = succeed('slurm_test.sh', 'part', 'job', 'c.py', 'w.pth', '--tta', PATH=srun)
    assert output.splitlines()[-5:] == ['c.py', 'w.pth', '--tta', '--launcher', 'slurm']


@pytest.mark.parametrize(
    ('tool', 'usage'),
    [
        ('dist_train.sh', 'CONFIG GPUS'),
        ('dist_test.sh', 'CONFIG CHECKPOINT GPUS'),
        ('slurm_train.sh', 'PARTITION JOB_NAME CONFIG [WORK_DIR]'),
        ('slurm_test.sh', 'PARTITION JOB_NAME CONFIG CHECKPOINT'),
    ],
)
def test_too_few_arguments_show_the_usage(tool, usage):
    process = call(tool, 'one')
    assert process.returncode == 2
    assert usage in process.stdout
