"""Time functions against each other."""

from __future__ import annotations

import time
from statistics import median, quantiles
from typing import Any, Callable, Sequence


def interleave(
    functions: Sequence[Callable[[], Any]],
    repeats: int,
    warmup: int,
    synchronise: Callable[[], None],
    tick: Callable[[], None] = lambda: None,
) -> list[list[float]]:
    """Call functions in turn, so that disturbances of the machine reach all of them.

    Args:
        functions: The functions to time.
        repeats: Timed calls of each.
        warmup: Calls of each beforehand, which are not timed.
        synchronise: Waits for the device.
        tick: Called after each call, for a progress bar.

    Returns:
        Seconds of each call, per function.
    """
    seconds: list[list[float]] = [[] for _ in functions]
    for turn in range(warmup + repeats):
        for function, found in zip(functions, seconds):
            synchronise()
            begin = time.perf_counter()
            function()
            synchronise()
            if turn >= warmup:
                found.append(time.perf_counter() - begin)
            tick()
    return seconds


def milliseconds(seconds: Sequence[float], images: int = 1) -> dict[str, float]:
    """Median and spread.

    Args:
        seconds: Seconds of each call, at least two.
        images: Number of images per call.

    Returns:
        Milliseconds per image: ``median``, and the quartiles ``low`` and ``high``.
    """
    low, _, high = quantiles(seconds, n=4)
    scale = 1000 / images
    return {'median': scale * median(seconds), 'low': scale * low, 'high': scale * high}
