"""What `tools/train.py` and `tools/test.py` share: arguments, config and runner."""

import os
import os.path as osp
from argparse import ArgumentParser, Namespace

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from .checkpoint import allow_mmengine_checkpoints
from .configs import load_config
from .dist import prepare_cpu_dist
from .nuscenes import adapt_nuscenes_metric

__all__ = ['add_common_arguments', 'build_runner', 'config_from_args']


def add_common_arguments(parser: ArgumentParser) -> None:
    """Add the flags that all tools of the MM libraries know.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument('--work-dir', help='where logs and results go (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='overrides of the config, e.g. train_cfg.max_epochs=2 model.neck.out_channels=128',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    # torch.distributed.launch passes one or the other spelling; torchrun sets LOCAL_RANK itself.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by launchers'
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
        raise SystemExit(
            f'error: {args.config} sets no default_scope, so that its types are looked up in '
            "mmengine alone; set it to 'mmdet', 'mmseg' or 'mmdet3d'"
        )
    cfg.launcher = args.launcher
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', name)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner, which can read its checkpoints and evaluate nuScenes without a GPU.

    On a machine without a GPU the processes join over gloo before.

    Args:
        cfg: The config, `launcher` and `work_dir` included.

    Returns:
        A runner of the class that `runner_type` names, mmengine's by default.
    """
    allow_mmengine_checkpoints()
    if cfg.get('default_scope') == 'mmdet3d':
        adapt_nuscenes_metric()
    _limit_dynamo_cache()
    prepare_cpu_dist(cfg)
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def _limit_dynamo_cache() -> None:
    """Honour `DYNAMO_CACHE_SIZE_LIMIT`, which bounds recompilation for images of many sizes."""
    if 'DYNAMO_CACHE_SIZE_LIMIT' in os.environ:
        import torch._dynamo

        torch._dynamo.config.cache_size_limit = int(os.environ['DYNAMO_CACHE_SIZE_LIMIT'])
