"""The one numba decorator of the renderer, and where its machine code is kept."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numba


def _cache_dir() -> Path:
    """A folder named after the sources.

    numba itself notices a change in the compiled function's own file only, and would run stale
    code after a change in a function that it calls.
    """
    here = Path(__file__).parent
    digest = hashlib.sha1()
    for path in sorted(here.glob('*.py')):
        digest.update(path.read_bytes())
    name = f'numba-{digest.hexdigest()[:12]}'
    try:
        folder = here / '__pycache__' / name
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f'mini_street-{name}'
        folder.mkdir(parents=True, exist_ok=True)
    return folder


numba.config.CACHE_DIR = str(_cache_dir())

jit = numba.njit(cache=True, fastmath=True, error_model='numpy')
inline = numba.njit(fastmath=True, error_model='numpy')
