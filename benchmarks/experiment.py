#!/usr/bin/env python
"""Train and test a grid of configs and seeds through tools/train.py and tools/test.py.

Each finished run is appended to a results file and not repeated; one that was stopped resumes from
its last checkpoint. Table and picture are redrawn after each run. Examples:
    python benchmarks/experiment.py CONFIG CONFIG --seeds 0 1 2 --jobs 2 --results runs.jsonl
    python benchmarks/experiment.py CONFIG --checkpoint seed{seed}/last.pth --results runs.jsonl
    python benchmarks/experiment.py --results runs.jsonl --render
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from queue import Queue
from typing import Any, Iterator, Optional

import torch
from mmengine.config import Config
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lzu_mm.engine import latest_checkpoint, run_tool
from lzu_mm.files import replacing
from report.environment import describe_machine
from report.results import Run, append_run, read_runs
from report.write import write_report

ROOT = Path(__file__).resolve().parents[1]
PR_SET_PDEATHSIG = 1  # of linux/prctl.h
CHILDREN: 'set[subprocess.Popen]' = set()


@dataclass(frozen=True)
class Job:
    """One config, trained and tested with one seed; a checkpoint is only tested.

    In the checkpoint's path, ``{seed}`` stands for the seed.
    """

    config: Path
    seed: int
    options: 'tuple[str, ...]'
    amp: bool
    folder: Path
    tta: bool = False
    checkpoint: 'Optional[str]' = None

    def finished(
        self, metrics: 'Optional[dict[str, float]]' = None, train_s: Optional[float] = None
    ) -> Run:
        """The run, with its outcome if it has one."""
        options = dict(option.split('=', 1) for option in self.options)
        if self.tta:
            options['tta'] = 'True'
        if self.checkpoint:
            options['checkpoint'] = '/'.join(Path(self.checkpoint).parts[-3:])
        machine = describe_machine() if metrics else {}
        return Run(self.config.stem, self.seed, options, self.amp, metrics or {}, train_s, machine)


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', type=Path, help='the configs to compare')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='default: 0')
    parser.add_argument(
        '--results', type=Path, required=True, help='the .jsonl file that runs are appended to'
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='parallel runs, which share the GPUs in turn'
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/experiment'))
    parser.add_argument(
        '--latency',
        type=Path,
        nargs='+',
        default=[],
        help='files of benchmarks/cost.py, for the picture and the table',
    )
    parser.add_argument(
        '--metrics', nargs='+', help="columns of the table (default: the evaluator's main ones)"
    )
    parser.add_argument(
        '--baseline',
        help='the row that others are compared with, seed by seed, by its name in the table; with '
        '--render, since it needs its runs',
    )
    parser.add_argument(
        '--decimals', type=int, default=1, help='of the metrics, in per cent (default: 1)'
    )
    parser.add_argument('--tta', action='store_true', help='test with the tta_model of the configs')
    parser.add_argument(
        '--checkpoint',
        help='train nothing, test this file with the configs; {seed} in its path is the seed',
    )
    parser.add_argument(
        '--render', action='store_true', help='only redraw table and picture from the results'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of all configs'
    )
    args = parser.parse_args()
    if args.results.suffix != '.jsonl':
        parser.error(f'--results ends in .jsonl, not as {args.results}')
    if args.jobs < 1:
        parser.error(f'--jobs must be at least 1, not {args.jobs}')
    if not args.render and not args.configs:
        parser.error('name the configs to run, or --render')
    for config in args.configs:
        if not config.is_file():
            parser.error(f'no config at {config}')
    stems: dict[str, Path] = {}
    for config in args.configs:
        other = stems.setdefault(config.stem, config)
        if other.resolve() != config.resolve():
            parser.error(
                f'{other} and {config} have one name, by which folders and results are told apart: '
                'rename one'
            )
    for seed in args.seeds if args.checkpoint else ():
        if not Path(checkpoint_of(args.checkpoint, seed)).is_file():
            parser.error(f'no checkpoint at {checkpoint_of(args.checkpoint, seed)}')
    for option in args.cfg_options:
        if '=' not in option:
            parser.error(f'--cfg-options takes KEY=VALUE, not {option}')
    return args


def checkpoint_of(path: str, seed: int) -> str:
    """The path of a seed's checkpoint."""
    return path.replace('{seed}', str(seed))


def jobs_of(args: Namespace) -> 'list[Job]':
    """The grid: all configs with the first seed, then all with the next."""
    options = tuple(sorted(args.cfg_options))
    # Runs with different options must not resume from each other's checkpoints.
    suffix = '-' + md5(' '.join(options).encode()).hexdigest()[:8] if options else ''
    suffix += '-amp' * args.amp
    if args.checkpoint:
        suffix += '-of-' + md5(args.checkpoint.encode()).hexdigest()[:8]
    jobs = [
        Job(
            config,
            seed,
            options,
            args.amp,
            args.work_dir / (config.stem + suffix) / f'seed{seed}',
            args.tta,
            args.checkpoint,
        )
        for seed in args.seeds
        for config in args.configs
    ]
    # A config or seed that is named twice is run once.
    return list({job.folder: job for job in jobs}.values())


def claim(job: Job) -> None:
    """Refuse a folder that holds the training of another config of this name."""
    job.folder.mkdir(parents=True, exist_ok=True)
    note, path = job.folder / 'config_path', str(job.config.resolve())
    if note.exists() and note.read_text() != path:
        raise SystemExit(
            f'error: {job.folder} holds a training of {note.read_text()}, not of {path}: choose '
            'another --work-dir'
        )
    if not note.exists():
        with replacing(note) as draft:
            draft.write_text(path)


@contextmanager
def locked(path: Path, what: str) -> 'Iterator[None]':
    """Hold a file that no other experiment may hold; it is noticed here if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open('a')
    except OSError as error:
        raise SystemExit(f'error: cannot write {what} {path}: {error}') from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f'error: another experiment is writing {what} {path}') from None
        try:
            yield
        finally:
            if path.exists() and not path.stat().st_size:
                path.unlink()


def die_with_parent() -> None:
    """In a child on Linux: be killed when the experiment is, however it ends."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def call(job: Job, variables: 'dict[str, str]', tool: str, *arguments: str) -> None:
    """Call a tool and log its output; a failure is reported with the end of the log."""
    log = job.folder / f'{tool}.log'
    command = [sys.executable, str(ROOT / 'tools' / f'{tool}.py'), str(job.config), *arguments]
    command += ['--cfg-options', f'randomness.seed={job.seed}', *job.options]
    # Configs of benchmarks/controls import what they need from the root.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    environment = {**os.environ, 'PYTHONPATH': path, **variables}
    with log.open('a') as output:
        child = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=die_with_parent,
        )
        CHILDREN.add(child)
        code = child.wait()
        CHILDREN.remove(child)
    if code:
        tail = '\n'.join(log.read_text().splitlines()[-15:])
        raise RuntimeError(f'tools/{tool}.py ended with {code}; {log} ends in\n{tail}')


def train(job: Job, variables: 'dict[str, str]') -> float:
    """Train or resume; returns the seconds of all attempts together."""
    stopwatch = job.folder / 'train_seconds'
    before = float(stopwatch.read_text()) if stopwatch.exists() else 0.0
    begin = time.monotonic()
    try:
        amp = ['--amp'] if job.amp else []
        call(job, variables, 'train', '--work-dir', str(job.folder), '--resume', *amp)
    finally:
        seconds = before + time.monotonic() - begin
        with replacing(stopwatch) as draft:
            draft.write_text(f'{seconds:.1f}')
    return seconds


def test(job: Job, variables: 'dict[str, str]') -> 'dict[str, float]':
    """Test the checkpoint that is given, or else the last of the training."""
    checkpoint: Optional[str]
    if job.checkpoint:
        checkpoint = checkpoint_of(job.checkpoint, job.seed)
    else:
        checkpoint = latest_checkpoint(str(job.folder))
    if checkpoint is None:
        raise RuntimeError(f'tools/train.py left no checkpoint in {job.folder}')
    folder = job.folder / 'test'
    tta = ['--tta'] if job.tta else []
    call(job, variables, 'test', checkpoint, '--work-dir', str(folder), *tta)
    files = sorted(folder.glob('*/*.json'))
    if not files:
        raise RuntimeError(f'tools/test.py left no metrics in {folder}')
    found = json.loads(files[-1].read_text())
    metrics = {
        key: value
        for key, value in found.items()
        if isinstance(value, (int, float)) and key not in ('time', 'data_time')
    }
    if not metrics:
        raise RuntimeError(f'the test found no metric: {files[-1]}')
    return metrics


class Grid:
    """Runs jobs side by side and reports each."""

    def __init__(self, args: Namespace) -> None:
        self.args = args
        self.slots: Queue[int] = Queue()
        for slot in range(args.jobs):
            self.slots.put(slot)
        self.lock = threading.Lock()
        self.stopped = False

    def run(self, job: Job) -> None:
        """Train unless there is a checkpoint, test and report."""
        slot = self.slots.get()
        try:
            if self.stopped:
                return
            variables = self.variables(slot)
            train_s = None if job.checkpoint else round(train(job, variables), 1)
            run = job.finished(test(job, variables), train_s)
        finally:
            self.slots.put(slot)
        with self.lock:
            append_run(self.args.results, run)
            render(self.args)

    def variables(self, slot: int) -> 'dict[str, str]':
        """Environment variables that share cores and GPUs among the jobs.

        Threads that the caller has set stay: with more of them than free cores, they wait for each
        other most of the time.
        """
        threads = str(max((os.cpu_count() or 1) // self.args.jobs, 1))
        names = 'OMP_NUM_THREADS', 'MKL_NUM_THREADS'
        variables = {name: os.environ.get(name, threads) for name in names}
        if torch.cuda.device_count() > 1:
            variables['CUDA_VISIBLE_DEVICES'] = str(slot % torch.cuda.device_count())
        return variables


def done_share(job: Job) -> float:
    """Finished share of the training, from its newest log and the config beside it."""
    logs = sorted(job.folder.glob('*/vis_data/scalars.json'))
    steps = [line for line in logs[-1].read_text().splitlines() if '"loss"' in line] if logs else []
    if not steps:
        return 0.0
    last = json.loads(steps[-1])
    train_cfg = Config.fromfile(logs[-1].with_name('config.py')).train_cfg
    if 'max_epochs' in train_cfg:
        return min(last['epoch'] / train_cfg.max_epochs, 1.0)
    return min(last['step'] / train_cfg.max_iters, 1.0)


def render(args: Namespace) -> None:
    """Write table and picture beside the results file."""
    baseline = args.baseline if args.render else None
    write_report(args.results, args.metrics, args.latency, baseline, args.decimals)


def finished(futures: 'dict[Future[Any], Job]', grid: Grid) -> 'Iterator[Future[Any]]':
    """Futures as they end; one Ctrl-C, which the children get as well, ends all."""
    try:
        yield from as_completed(futures)
    except KeyboardInterrupt:
        grid.stopped = True
        for future in futures:
            future.cancel()
        for child in tuple(CHILDREN):
            child.terminate()
        raise


def run_grid(args: Namespace, jobs: 'list[Job]', console: Console) -> 'list[str]':
    """Run the jobs with a progress bar each; returns the messages of the failed ones."""
    failures: list[str] = []
    columns = (TextColumn('{task.description}'), BarColumn(), '{task.percentage:>3.0f}%')
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        pool = ThreadPoolExecutor(args.jobs)
        grid = Grid(args)
        futures: dict[Future[Any], Job] = {pool.submit(grid.run, job): job for job in jobs}
        bars = {
            job.folder: progress.add_task(f'{job.folder.parent.name} seed {job.seed}', start=False)
            for job in jobs
        }
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(2):
                for future, job in futures.items():
                    if future.running():
                        progress.start_task(bars[job.folder])
                        progress.update(bars[job.folder], completed=100 * done_share(job))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        for future in finished(futures, grid):
            job = futures[future]
            progress.update(bars[job.folder], completed=100)
            if future.exception() is not None:
                failures.append(f'{job.folder}: {future.exception()}')
                console.print(f'failed: {failures[-1]}', style='red', markup=False)
        stop.set()
    return failures


def main() -> None:
    """Run what is missing, and show the table."""
    args = parse_args()
    console = Console()
    failures = []
    if not args.render:
        with ExitStack() as locks:
            locks.enter_context(locked(args.results, 'the results'))
            known = {(*run.variant, run.seed) for run in read_runs(args.results) if run.metrics}
            jobs = jobs_of(args)
            missing = [job for job in jobs if (*job.finished().variant, job.seed) not in known]
            console.print(f'{len(jobs)} runs, {len(jobs) - len(missing)} in {args.results} already')
            for job in missing:
                locks.enter_context(locked(job.folder / '.lock', 'in the folder of'))
                claim(job)
            failures = run_grid(args, missing, console)
    if args.results.exists():
        render(args)
        # Not through the console, which would wrap its lines.
        print(args.results.with_suffix('.md').read_text())
    if failures:
        raise SystemExit(f'error: {len(failures)} runs failed (above); run it again to resume')


if __name__ == '__main__':
    run_tool(main)
