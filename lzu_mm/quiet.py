"""How a command ends when its user, or the reader of its output, has had enough."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import Iterator

__all__ = ['ends_quietly']

# As shells report SIGINT and SIGPIPE.
_INTERRUPTED, _UNREAD = 130, 141


@contextmanager
def ends_quietly() -> Iterator[None]:
    """End with 130 at Ctrl-C, and with 141 once nobody reads the output (``| head``)."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:
        # What is left in the buffer would complain once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(_UNREAD) from None
