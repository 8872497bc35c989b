"""What mmengine writes to the local disk is written aside and renamed once it is whole."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..files import replacing

__all__ = ['AtomicLocalBackend', 'write_atomically']


class AtomicLocalBackend(LocalBackend):
    """The local disk, on which a file is the old one or the new one, and never half of either."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """See ``LocalBackend.put``."""
        with replacing(filepath) as draft:
            super().put(obj, draft)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """See ``LocalBackend.put_text``."""
        with replacing(filepath) as draft:
            super().put_text(obj, draft, encoding)


def write_atomically() -> None:
    """Let mmengine write checkpoints and predictions so; calling it again changes nothing."""
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')
