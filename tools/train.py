#!/usr/bin/env python
"""Train a model of MMDetection, MMSegmentation or MMDetection3D, with or without LZU.

The library is the `default_scope` of the config. Examples:
    lzu-mm train CONFIG --work-dir work_dirs/first
    lzu-mm train CONFIG --work-dir work_dirs/first --resume
    lzu-mm dist-train CONFIG 8 --amp
"""

import os.path as osp
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import find_latest_checkpoint

from lzu_mm.checks import check_number, check_whole
from lzu_mm.engine import (
    add_common_arguments,
    build_runner,
    check_phase,
    config_from_args,
    latest_checkpoint,
    read_checkpoint,
    resume_with_seed,
    run_tool,
)
from lzu_mm.files import check_writable
from lzu_mm.pipelines import type_name


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='the config to train')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by batch size over auto_scale_lr.base_batch_size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from CHECKPOINT, or from the latest one of the work directory',
    )
    add_common_arguments(parser)
    return parser.parse_args()


def enable_amp(cfg: Config) -> None:
    """Replace the optimizer wrapper by its mixed precision counterpart."""
    wrapper = cfg.optim_wrapper
    kind = type_name(wrapper) or 'OptimWrapper'
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise SystemExit(f'error: --amp replaces OptimWrapper, but optim_wrapper.type is {kind!r}')
    if get_device() == 'cpu':
        wrapper.type = 'lzu_mm.BFloat16OptimWrapper'
        wrapper.pop('loss_scale', None)
        wrapper.pop('dtype', None)
    elif kind == 'OptimWrapper':
        wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')


def enable_auto_scale_lr(cfg: Config) -> None:
    """Switch on the scaling of the learning rate."""
    scaling = cfg.get('auto_scale_lr')
    if not isinstance(scaling, dict) or 'base_batch_size' not in scaling:
        raise SystemExit(
            'error: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=N) in the config, '
            'N being the batch size over all processes that the learning rate is meant for'
        )
    check_whole('auto_scale_lr.base_batch_size', scaling.base_batch_size, '[1, inf)')
    scaling.enable = True


def set_resume(cfg: Config, checkpoint: 'str | None') -> None:
    """Resume if asked to; refuse to overwrite a finished or interrupted training."""
    if checkpoint is None and cfg.get('resume'):
        checkpoint = cfg.get('load_from') or 'auto'
    asked = checkpoint is not None
    if checkpoint == 'auto':
        # If there is nothing to resume from yet, training starts from load_from as usual.
        cfg.resume = False
        checkpoint = latest_checkpoint(cfg.work_dir)
    if checkpoint is not None:
        cfg.update(resume=True, load_from=checkpoint)
        resume_with_seed(cfg, read_checkpoint(checkpoint).get('meta', {}).get('seed'))
    elif not asked and osp.isfile(osp.join(cfg.work_dir, 'last_checkpoint')):
        raise SystemExit(
            f'error: {cfg.work_dir} already holds a training '
            f'({find_latest_checkpoint(cfg.work_dir)}): go on with it by --resume, choose another '
            '--work-dir, or remove it'
        )


def main() -> None:
    """Train."""
    args = parse_args()
    cfg = config_from_args(args)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        enable_auto_scale_lr(cfg)
    check_writable(osp.join(cfg.work_dir, 'log'))
    set_resume(cfg, args.resume)
    check_phase(cfg, 'train_dataloader', 'train_cfg', 'optim_wrapper')
    for name in {'max_epochs', 'max_iters'} & set(cfg.train_cfg):
        check_number(f'train_cfg.{name}', cfg.train_cfg[name], '[1, inf)')
    build_runner(cfg, args.allow_partial).train()


if __name__ == '__main__':
    run_tool(main)
