"""What training and testing need beyond mmengine: see each module."""

from .checkpoint import allow_mmengine_checkpoints
from .configs import load_config
from .dist import prepare_cpu_dist
from .launch import add_common_arguments, build_runner, config_from_args
from .nuscenes import adapt_nuscenes_metric
from .optim_wrapper import BFloat16OptimWrapper

__all__ = [
    'BFloat16OptimWrapper',
    'adapt_nuscenes_metric',
    'add_common_arguments',
    'allow_mmengine_checkpoints',
    'build_runner',
    'config_from_args',
    'load_config',
    'prepare_cpu_dist',
]
