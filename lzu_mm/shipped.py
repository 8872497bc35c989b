"""Where configs and tools lie: in the package, if it was installed, else beside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder(name: str) -> Path:
    """Find a folder of the repository, wherever the package is installed.

    Args:
        name: ``'configs'`` or ``'tools'``.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: If this installation lacks it.
    """
    for place in (_PACKAGE / '.mim', _PACKAGE.parent):
        if (place / name).is_dir():
            return place / name
    raise FileNotFoundError(
        f'this installation of lzu_mm has no {name}: install its wheel, or work in a checkout'
    )
