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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Skip what needs MMDetection3D where it is not installed: the fork (onedl-*) has none."""
    report = (yield).get_result()
    if report.failed and find_spec('mmdet3d') is None and _lacks_mmdet3d(call.excinfo.value):
        report.outcome = 'skipped'
        report.longrepr = (str(item.path), item.location[1], 'Skipped: needs mmdet3d')


def _lacks_mmdet3d(error):
    """Whether an error, or a tool that a test ran, tells of the missing library."""
    while error is not None:
        named = isinstance(error, ModuleNotFoundError) and (error.name or '').split('.')[0]
        if named == 'mmdet3d' or 'mmdet3d is not installed' in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


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
