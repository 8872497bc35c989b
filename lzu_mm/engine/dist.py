"""Distributed training on machines without an accelerator.

mmengine binds each process to a CUDA device before it joins the group, and gives the device to
DistributedDataParallel. Without a GPU both fail, so the processes join over gloo first.
"""

import atexit
import os
import subprocess
from datetime import timedelta

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device

__all__ = ['prepare_cpu_dist']

# Where each launcher leaves rank, world size and local rank.
_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def prepare_cpu_dist(cfg: Config) -> None:
    """Join the process group over gloo and adapt the config, if there is no accelerator.

    Does nothing with `launcher='none'`, on a machine with a GPU, or if a group exists already.
    Call it before building the runner.

    Args:
        cfg: The config of the runner. `model_wrapper_cfg` is set or completed in place.

    Raises:
        RuntimeError: if the variables of the launcher are missing from the environment.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or get_device() != 'cpu':
        return
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)
    if not torch.distributed.is_initialized():
        _join(launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800))


def _join(launcher: str, timeout: int) -> None:
    """Translate the launcher's variables to torch's and join; `timeout` is in seconds."""
    missing = [name for name in _VARIABLES[launcher] if name not in os.environ]
    if missing:
        raise RuntimeError(
            f'--launcher {launcher} needs {", ".join(missing)} in the environment: start with '
            'tools/dist_train.sh, tools/slurm_train.sh or mpirun, or leave --launcher out'
        )
    rank, world_size, local_rank = (os.environ[name] for name in _VARIABLES[launcher])
    os.environ.update(RANK=rank, WORLD_SIZE=world_size, LOCAL_RANK=local_rank)
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_slurm_node() if launcher == 'slurm' else '127.0.0.1'
    os.environ.setdefault('MASTER_PORT', '29500')
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    atexit.register(_leave)


def _leave() -> None:
    """Leave the group, so that no thread of gloo is left to run while the process is torn down."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _first_slurm_node() -> str:
    command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
