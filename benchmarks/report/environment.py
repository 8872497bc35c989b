"""The circumstances of a measurement: commit, torch, device."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch


def describe_machine() -> dict[str, Any]:
    """Commit, version of torch and device; ``+`` marks edited files."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {'commit': _commit(), 'torch': torch.__version__, 'device': gpu or _processor()}


def _commit() -> str | None:
    try:
        described = subprocess.run(
            ['git', 'describe', '--always', '--dirty=+', '--exclude=*'],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
