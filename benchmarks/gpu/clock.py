"""Time on a device: events on its stream, calls in turn, and CUDA graphs."""

from __future__ import annotations

import gc
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
        only: Parts of names, one of which a row must have; none for all rows.
        done: Names of rows that are not to be made again.
    """

    device: torch.device
    quick: bool
    repeats: int
    deadline: float
    data: Path | None = None
    train_seconds: float = 240
    only: tuple[str, ...] = ()
    done: frozenset[str] = frozenset()

    def wants(self, name: str) -> bool:
        """Whether a row is asked for, and not made yet."""
        asked = not self.only or any(part in name for part in self.only)
        return asked and name not in self.done

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
        results = function()

    # What the graph reads, which the function holds, must live as long as the graph: the next
    # capture gives freed memory back to the device, and a replay would read what is not there.
    def replay(held: Any = (function, results)) -> Any:
        graph.replay()
        return held[1]

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
            gc.collect()
            torch.cuda.empty_cache()


class DeviceLostError(RuntimeError):
    """A kernel went astray: nothing runs on the device in this process from then on.

    Attributes:
        rows: What the part has found so far.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        super().__init__('the device is lost to this process')
        self.rows = rows


def is_lost() -> bool:
    """Whether the device answers no more."""
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return False
    try:
        torch.cuda.synchronize()
        torch.ones(1, device='cuda').sum().item()
    except RuntimeError:
        return True
    return False


def attempt(
    name: str, make: Callable[[], dict[str, Any]], rows: list[dict[str, Any]], setting: Setting
) -> None:
    """Add a row, or one that says what went wrong; none that is not wanted."""
    if not setting.wants(name):
        return
    try:
        row = {'name': name, **make()}
        if 'off' in row and not row['off'] <= row['bound']:
            row['error'] = f'off by {row["off"]:.3g}, more than {row["bound"]:.3g}'
    except Exception as error:  # whatever it is, the next row goes on
        traceback.print_exc()
        row = {'name': name, 'error': f'{type(error).__name__}: {error}'[:500]}
    rows.append(row)
    if 'error' in row:
        print(f'{name}: {row["error"]}', flush=True)
        if is_lost():
            raise DeviceLostError(rows)


def show(name: str, times: dict[str, dict[str, float]], base: str | None = None) -> None:
    """Print the times of one row, and their ratios to one of them."""
    parts = []
    for key, time_ in times.items():
        text = f'{key} {time_["median"]:.4f} ({time_["low"]:.4f}-{time_["high"]:.4f})'
        if base is not None and base in times and key != base:
            text += f' x{time_["median"] / times[base]["median"]:.3f}'
        parts.append(text)
    print(f'{name}: ' + ' | '.join(parts) + ' ms', flush=True)
