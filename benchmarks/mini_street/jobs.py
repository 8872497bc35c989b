"""Resumable rendering on several processes.

A task is a list of jobs, a job a list of frames of one world. Each frame leaves a record; what has
a record is not rendered again. When all are there, the task writes its annotations from them, and
its manifest says 'finished'.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import cv2
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .files import read_json, write_json
from .street import make_world
from .view import moment

MANIFEST = 'mini_street.json'
_RECORDS = '.records'
# Raised whenever the same seed would give another world, so that old and new images never mix.
_EDITION = 2


@dataclass(frozen=True)
class Job:
    """Frames of one world.

    Attributes:
        key: name of the world's records.
        seed: of the world.
        times: (frame number, seconds) of each frame.
        options: for `make_world`.
        context: whatever the task's frame function needs.
    """

    key: str
    seed: tuple[int, ...]
    times: tuple[tuple[int, float], ...]
    options: dict[str, Any]
    context: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A data set to write.

    Attributes:
        name: of the data set and of its folder.
        jobs: all there is to render.
        frame: (folder, job, frame number, moment) -> record; writes the images of one frame.
        finish: (folder, records by (job key, frame number)) -> None; writes the annotations.
        images: pictures per frame, for the progress bar.
    """

    name: str
    jobs: list[Job]
    frame: Callable
    finish: Callable
    images: int = 1


def _record(folder: Path, job: Job, number: int) -> Path:
    return folder / _RECORDS / f'{job.key}_{number:04d}.json'


def _end_with_parent() -> None:
    """End a worker when the tool is killed; it would wait for work forever."""

    def watch() -> None:
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(folder: Path, task: Task, job: Job) -> int:
    """Render the missing frames of a job; returns the number of its frames."""
    cv2.setNumThreads(1)
    world = None
    for number, time in job.times:
        path = _record(folder, job, number)
        if not path.exists():
            world = world or make_world(job.seed, **job.options)
            write_json(path, task.frame(folder, job, number, moment(world, time, job.seed[0])))
    return len(job.times)


def _claim(folder: Path, identity: dict[str, Any]) -> bool:
    """Check what a folder holds; True if it is finished already.

    Raises:
        SystemExit: if the folder holds something else.
    """
    path = folder / MANIFEST
    if path.exists():
        found = read_json(path)
        finished = found.pop('finished', False)
        if found != identity:
            differs = ', '.join(
                f'{k} {found.get(k)!r} instead of {v!r}'
                for k, v in identity.items()
                if found.get(k) != v
            )
            raise SystemExit(
                f'{folder} was made with {differs}. Choose another --out, or remove {folder}.'
            )
        return finished
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(
            f'{folder} is not empty and has no {MANIFEST}: it was not made by this tool. '
            f'Choose another --out, or remove {folder}.'
        )
    write_json(path, {**identity, 'finished': False}, indent=1)
    return False


def run(task: Task, folder: Path, preset: str, seed: int, workers: int) -> None:
    """Render what is missing of a task and write its annotations.

    Args:
        task: what to make.
        folder: where to put it.
        preset: what it is made from; a folder that was made from another is refused.
        seed: as for the preset.
        workers: number of processes.
    """
    identity = {'dataset': task.name, 'preset': preset, 'seed': seed, 'edition': _EDITION}
    if _claim(folder, identity):
        print(f'{task.name}: {folder} is finished, nothing to do')
        return
    todo = [
        job for job in task.jobs if any(not _record(folder, job, n).exists() for n, _ in job.times)
    ]
    columns = (
        TextColumn('{task.description:>14}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('images'),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        total = task.images * sum(len(job.times) for job in task.jobs)
        left = task.images * sum(len(job.times) for job in todo)
        bar = progress.add_task(task.name, total=total, completed=total - left)
        if workers == 1 or len(todo) < 2:
            for job in todo:
                progress.advance(bar, task.images * _work(folder, task, job))
        else:
            # The first job runs here: it compiles the renderer once, for all the processes.
            progress.advance(bar, task.images * _work(folder, task, todo[0]))
            with ProcessPoolExecutor(workers, initializer=_end_with_parent) as pool:
                for done in pool.map(_work, *zip(*((folder, task, job) for job in todo[1:]))):
                    progress.advance(bar, task.images * done)
    task.finish(
        folder,
        {
            (job.key, n): read_json(_record(folder, job, n))
            for job in task.jobs
            for n, _ in job.times
        },
    )
    write_json(folder / MANIFEST, {**identity, 'finished': True}, indent=1)
    shutil.rmtree(folder / _RECORDS)


def split_frames(
    key: str,
    seed: tuple[int, ...],
    times: list[tuple[int, float]],
    size: int,
    options: dict,
    context: dict,
) -> list[Job]:
    """Cut a long sequence into jobs of at most `size` frames, so that all processes stay busy."""
    return [
        Job(key, seed, tuple(times[i : i + size]), options, context)
        for i in range(0, len(times), size)
    ]
