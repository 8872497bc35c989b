"""Processes that train together."""

import gc

import torch.distributed as dist


def leave_group():
    """End the process group, with no DDP left that holds it.

    DDP that outlives its group ends it, and may then wait for ever.
    """
    gc.collect()
    dist.destroy_process_group()
