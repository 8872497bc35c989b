"""What `tools/train.py` and `tools/test.py` share: arguments, config and runner."""

import os
import os.path as osp
from argparse import ArgumentParser, Namespace

from mmengine.config import Config, DictAction
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner

from ..pipelines import type_name
from ..stock import library_of
from .checkpoint import allow_mmengine_checkpoints
from .classes import ClassGuard
from .configs import load_config
from .dist import prepare_cpu_dist
from .nuscenes import adapt_nuscenes_metric
from .randomness import RandomStatesHook
from .storage import write_atomically
from .weights import CheckpointGuard

__all__ = [
    'add_cfg_options',
    'add_common_arguments',
    'build_runner',
    'check_phase',
    'config_from_args',
]


def add_common_arguments(parser: ArgumentParser) -> None:
    """Add the flags that all tools of the MM libraries know.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument('--work-dir', help='where logs and results go (default: work_dirs/CONFIG)')
    add_cfg_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='go on with a checkpoint that lacks weights of the model, which then stay random',
    )
    # torch.distributed.launch passes one or the other spelling; torchrun sets LOCAL_RANK itself.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by launchers'
    )


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add the flag that overrides settings of a config.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='overrides of the config, e.g. train_cfg.max_epochs=2 model.neck.out_channels=128',
    )


def config_from_args(args: Namespace) -> Config:
    """Read the config and apply the common flags.

    Args:
        args: `config` and what `add_common_arguments` defines.

    Returns:
        The config, with `launcher` and `work_dir` set.

    Raises:
        SystemExit: if the config is missing or names no library.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not osp.isfile(args.config):
        raise SystemExit(f'error: no config at {args.config}')
    cfg = load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    if cfg.get('default_scope') is None:
        cfg.default_scope = library_of(cfg.get('model'))
    if cfg.default_scope is None:
        raise SystemExit(
            f'error: {args.config} sets no default_scope, so that its types are looked up in '
            "mmengine alone; set it to 'mmdet', 'mmseg' or 'mmdet3d'"
        )
    cfg.launcher = args.launcher
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', name)
    return cfg


def check_phase(cfg: Config, *names: str) -> None:
    """Refuse a config that lacks what a phase takes.

    Args:
        cfg: The config.
        *names: Its entries, such as `test_dataloader`.

    Raises:
        ValueError: If one is missing or no dict.
    """
    for name in names:
        if cfg.get(name) is None:
            raise ValueError(f'the config has no {name}')
        if name.endswith(('_dataloader', '_cfg')) and not isinstance(cfg[name], dict):
            raise ValueError(f'{name} must be a dict, got {cfg[name]!r}')


def build_runner(cfg: Config, allow_partial: bool = False) -> Runner:
    """Build the runner, which can read its checkpoints and evaluate nuScenes without a GPU.

    Checkpoints are written aside and renamed, and refused if they lack weights of the model; so are
    classes that the annotations or the heads do not have.

    On a machine without a GPU the processes join over gloo before.

    Args:
        cfg: The config, `launcher` and `work_dir` included.
        allow_partial: Warn of missing weights only.

    Returns:
        A runner of the class that `runner_type` names, mmengine's by default.
    """
    allow_mmengine_checkpoints()
    if cfg.get('default_scope') == 'mmdet3d':
        adapt_nuscenes_metric()
    _limit_dynamo_cache()
    prepare_cpu_dist(cfg)
    write_atomically()
    _keep_checkpoints(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.register_hook(CheckpointGuard(allow_partial))
    runner.register_hook(ClassGuard())
    runner.register_hook(RandomStatesHook())
    return runner


def _keep_checkpoints(cfg: Config) -> None:
    """Let the stock hook remove an old checkpoint once the new one is written, not before."""
    hooks = cfg.get('default_hooks') or {}
    if not isinstance(hooks, dict):
        raise ValueError(f'default_hooks must be a dict of hooks by name, got {hooks!r}')
    hook = hooks.get('checkpoint', dict(type='CheckpointHook'))  # None takes it out
    if not isinstance(hook, dict) or type_name(hook) != 'CheckpointHook':
        return
    kind = hook['type']
    if (HOOKS.get(kind) if isinstance(kind, str) else kind) is CheckpointHook:
        safe = dict(hook, type='lzu_mm.SafeCheckpointHook')
        cfg.default_hooks = dict(hooks, checkpoint=safe)


def _limit_dynamo_cache() -> None:
    """Honour `DYNAMO_CACHE_SIZE_LIMIT`, which bounds recompilation for images of many sizes."""
    if 'DYNAMO_CACHE_SIZE_LIMIT' in os.environ:
        import torch._dynamo

        torch._dynamo.config.cache_size_limit = int(os.environ['DYNAMO_CACHE_SIZE_LIMIT'])
