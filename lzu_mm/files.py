"""Writing files so that a kill, an error or a full disk leaves the file that was there before."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

__all__ = ['check_writable', 'replacing']


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under another name and rename it once it is whole and on the disk.

    Args:
        path: The file to write, which may exist. Missing folders are made.

    Yields:
        The path to write to, in the same folder and with the same suffix. It is removed where the
        block fails.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / 'notes.txt') as draft:
        ...         _ = draft.write_text('done')
        ...     (Path(folder) / 'notes.txt').read_text()
        'done'
    """
    path = Path(path).resolve()  # what a link points at, not the link, is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')
    try:
        yield draft
        with draft.open('rb') as file:
            os.fsync(file.fileno())
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        os.replace(draft, path)
    finally:
        if draft.exists():
            draft.unlink()


def check_writable(path: str | Path) -> None:
    """Notice before the work that its outcome cannot be written.

    Args:
        path: The file to be written; its folder is made if it is missing.

    Raises:
        OSError: If there can be no such file.
    """
    path = Path(path).resolve()
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            f'cannot write {path}: {error.filename} is a file, not a folder'
        ) from error
    with tempfile.TemporaryFile(dir=path.parent):
        pass
