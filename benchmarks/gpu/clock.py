"""Time on a device: events on its stream, calls in turn, and CUDA graphs."""

from __future__ import annotations

import os
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch

from timing.turns import interleave, milliseconds

Function = Callable[[], Any]
# Of one row of the tables, after five timed calls of each function.
MOST_SECONDS = 3.0


@dataclass
class Setting:
    """How to run.

    Attributes:
        device: Where.
        quick: Tiny sizes, to try the script.
        repeats: Timed calls of each function.
        deadline: When all must have ended, by ``time.monotonic()``.
        data: A rendered mini-street, for the training.
        train_seconds: Bound of the training.
    """

    device: torch.device
    quick: bool
    repeats: int
    deadline: float
    data: Path | None = None
    train_seconds: float = 240

    @property
    def ways(self) -> dict[bool, str]:
        """Whether to use the fused kernels, and what that adds to a name; first the riskier."""
        fused = self.device.type == 'cuda' and os.environ.get('LZU_FUSED') != '0'
        return {True: ', fused', False: ''} if fused else {False: ''}

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()


def take_turns(functions: dict[str, Function], setting: Setting) -> dict[str, dict[str, float]]:
    """Milliseconds of each function: median and quartiles of calls in turn.

    On a GPU the time is that between two events around a call that begins when the device is idle:
    the launches of many small kernels count.
    """
    names = list(functions)
    if setting.device.type == 'cpu':
        seconds = interleave(list(functions.values()), setting.repeats, 1, lambda: None)
    else:
        seconds = _by_events(list(functions.values()), setting.repeats)
    return {name: milliseconds(found) for name, found in zip(names, seconds)}


def _by_events(functions: list[Function], repeats: int, warmup: int = 3) -> list[list[float]]:
    seconds: list[list[float]] = [[] for _ in functions]
    end_by = time.monotonic() + MOST_SECONDS
    for turn in range(warmup + repeats):
        if turn >= warmup + 5 and time.monotonic() > end_by:
            break
        for function, found in zip(functions, seconds):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begin.record()
            function()
            end.record()
            end.synchronize()
            if turn >= warmup:
                found.append(begin.elapsed_time(end) / 1000)
    return seconds


def captured(function: Function) -> Function:
    """The function as a CUDA graph, which is replayed: its launches cost next to nothing."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        # What is returned must live as long as the graph.
        results = function()

    def replay(kept: Any = results) -> Any:
        graph.replay()
        return kept

    return replay


def count_kernels(function: Function) -> int:
    """Kernels and copies that one call launches."""
    from torch.profiler import ProfilerActivity, profile

    function()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        function()
        torch.cuda.synchronize()
    events = profiler.events() or []
    return sum(event.device_type == torch.autograd.DeviceType.CUDA for event in events)


def free_memory(device: torch.device) -> None:
    """Give what is cached back to the device, if it still answers."""
    if device.type == 'cuda':
        with suppress(RuntimeError):
            torch.cuda.empty_cache()


def attempt(name: str, make: Callable[[], dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Add a row, or one that says what went wrong."""
    try:
        row = {'name': name, **make()}
    except Exception as error:  # whatever it is, the next row goes on
        traceback.print_exc()
        row = {'name': name, 'error': f'{type(error).__name__}: {error}'[:500]}
        print(f'{name}: {row["error"]}')
    rows.append(row)


def show(name: str, times: dict[str, dict[str, float]], base: str | None = None) -> None:
    """Print the times of one row, and their ratios to one of them."""
    parts = []
    for key, time_ in times.items():
        text = f'{key} {time_["median"]:.4f} ({time_["low"]:.4f}-{time_["high"]:.4f})'
        if base is not None and base in times and key != base:
            text += f' x{time_["median"] / times[base]["median"]:.3f}'
        parts.append(text)
    print(f'{name}: ' + ' | '.join(parts) + ' ms', flush=True)
