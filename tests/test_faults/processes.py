"""Processes that may be killed, and disks that are full."""

import multiprocessing
import resource
import signal
from contextlib import contextmanager


def start(target, *arguments):
    """Run a function in a process of its own, in which the libraries are imported already."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['tests.test_faults.test_checkpoints'])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


@contextmanager
def full_disk(size=1000):
    """No file grows beyond a size, which ends a write as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
