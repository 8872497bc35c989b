"""Calls the tools in processes of their own, as a user does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def call(*command, mini_street=None, **environment):
    """Run a command in the repository root.

    Args:
        *command: The command. Its first word is a script in `tools`, or `benchmarks/X.py`.
        mini_street: Root of the data that the mini-street configs read.
        **environment: Further environment variables.

    Returns:
        The finished process, with stdout and stderr together in `stdout`.
    """
    tool, *arguments = map(str, command)
    script = ROOT / tool if '/' in tool else ROOT / 'tools' / tool
    interpreter = [sys.executable, '-W', 'ignore'] if tool.endswith('.py') else ['bash']
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHON=sys.executable, **environment)
    if mini_street:
        environment['MINI_STREET'] = str(mini_street)
    return subprocess.run(
        [*interpreter, str(script), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def succeed(*command, **environment):
    """As `call`; fails with the output of the command if that fails.

    Returns:
        What the command printed.
    """
    process = call(*command, **environment)
    assert process.returncode == 0, process.stdout[-4000:]
    return process.stdout


def free_port():
    """Find a port for a process group."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])
