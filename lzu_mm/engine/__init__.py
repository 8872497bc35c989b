"""What training and testing need beyond mmengine: see each module."""

from .checkpoint import allow_mmengine_checkpoints
from .checkpoint_hook import SafeCheckpointHook
from .classes import ClassGuard, check_classes
from .configs import load_config
from .dist import prepare_cpu_dist
from .launch import (
    add_cfg_options,
    add_common_arguments,
    build_runner,
    check_phase,
    config_from_args,
)
from .nuscenes import adapt_nuscenes_metric
from .optim_wrapper import BFloat16OptimWrapper
from .randomness import RandomStatesHook, resume_with_seed
from .tool import run_tool
from .weights import (
    CheckpointError,
    CheckpointGuard,
    check_weights,
    latest_checkpoint,
    read_checkpoint,
)

__all__ = [
    'BFloat16OptimWrapper',
    'CheckpointError',
    'CheckpointGuard',
    'ClassGuard',
    'RandomStatesHook',
    'SafeCheckpointHook',
    'adapt_nuscenes_metric',
    'add_cfg_options',
    'add_common_arguments',
    'allow_mmengine_checkpoints',
    'build_runner',
    'check_classes',
    'check_phase',
    'check_weights',
    'config_from_args',
    'latest_checkpoint',
    'load_config',
    'prepare_cpu_dist',
    'read_checkpoint',
    'resume_with_seed',
    'run_tool',
]
