"""What pyproject.toml cannot say: configs and tools travel inside the package, in `lzu_mm/.mim`.

There mmengine looks for `_base_ = 'lzu_mm::…'`, mim for its commands, and `lzu-mm` for the tools.
An editable install links them.
"""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
TRAVEL = ('configs', 'tools', 'model-index.yml')


class BuildWithMim(build_py):
    """Build the package, with what travels in it."""

    def run(self) -> None:
        """Build."""
        super().run()
        editable = getattr(self, 'editable_mode', False)
        mim = (ROOT if editable else Path(self.build_lib)) / 'lzu_mm' / '.mim'
        if not mim.is_symlink():
            shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in TRAVEL:
            if editable:
                (mim / name).symlink_to(os.path.relpath(ROOT / name, mim))
            elif (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, mim / name, ignore=shutil.ignore_patterns('*.pyc'))
            else:
                shutil.copy(ROOT / name, mim / name)


setup(cmdclass={'build_py': BuildWithMim})
