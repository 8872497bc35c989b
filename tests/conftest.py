"""Fixtures shared by all tests."""

import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger

from lzu_mm.engine.configs import find_fork

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure():
    """Let tests interrupt what they start, and read configs as our tools do."""
    find_fork()
    # In the background, shells have SIGINT ignored.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# What the fork (onedl-*) has not, by what an error, or a tool that a test ran, says of it.
FORK = find_spec('mmdet3d') is None
MISSING = {
    'mmdet3d is not installed': 'needs mmdet3d',
    "No module named 'mmdet3d": 'needs mmdet3d',
    "No module named 'nuscenes": 'needs the devkit of nuScenes, which comes with mmdet3d',
    '`mean` should have 1 or 3 values': 'the stock model takes images of 1 or 3 channels here',
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Skip what the fork cannot do without the zoom either."""
    report = (yield).get_result()
    reason = _missing(call.excinfo.value) if FORK and report.failed else None
    if reason is not None:
        report.outcome = 'skipped'
        report.longrepr = (str(item.path), item.location[1], f'Skipped: {reason}')


def _missing(error):
    while error is not None:
        for words, reason in MISSING.items():
            if words in str(error):
                return reason
        error = error.__cause__ or error.__context__
    return None


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope='session')
def _quiet():
    # init_weights would log a line per parameter.
    MMLogger.get_instance('mmengine', log_level='WARNING')


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope='session')
def shared_data():
    """Real frames, which are not part of the repository."""
    folder = ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip(f'needs real frames in {folder.relative_to(ROOT.parent)} beside the repository')
    return folder


@pytest.fixture(scope='session')
def mini_street(request):
    """Root of the tiny mini-street datasets, kept between runs (the tool skips what is there)."""
    out = Path(request.config.cache.mkdir('mini_street')) / 'tiny'
    subprocess.run(
        [sys.executable, 'benchmarks/make_mini_street.py', '--preset', 'tiny', '--out', str(out)],
        cwd=ROOT,
        check=True,
    )
    return out
