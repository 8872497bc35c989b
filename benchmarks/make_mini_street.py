"""Render a small street world in the formats of Argoverse-HD, Cityscapes and nuScenes.

    python benchmarks/make_mini_street.py --preset tiny
    python benchmarks/make_mini_street.py --preset standard --tasks argoverse_hd

The data sets hold the same world, seen by three kinds of cameras, with exact labels; they are made
for tests, demonstrations and comparisons on machines that cannot download the real ones. An
interrupted run resumes where it stopped; a finished one is left alone.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from lzu_mm.engine import run_tool

try:
    from mini_street.jobs import run
except ImportError as error:
    raise SystemExit(
        f'error: {error}. The renderer needs: pip install -r benchmarks/requirements.txt'
    ) from error

TASKS = ('argoverse_hd', 'cityscapes', 'nuscenes')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Render a small street world in three data set formats.'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/mini_street'),
        help='each task gets a folder in here',
    )
    parser.add_argument(
        '--preset',
        choices=('tiny', 'small', 'standard', 'video'),
        default='tiny',
        help='tiny: a few images; small: 500 + 100 or more per task, the middle of what the real '
        'cameras see, for trainings of minutes; standard: 300 + 100 or more, the whole pictures; '
        'video: as small, argoverse_hd alone, validated on eight seconds at 30 frames per second',
    )
    parser.add_argument(
        '--tasks', nargs='+', choices=TASKS, help='data sets to write (default: all)'
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed, another world')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes')
    args = parser.parse_args()
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, not {args.workers}')
    if args.seed < 0:
        parser.error(f'--seed must not be negative, not {args.seed}')
    args.tasks = args.tasks or (TASKS[:1] if args.preset == 'video' else TASKS)
    if args.preset == 'video' and list(args.tasks) != ['argoverse_hd']:
        parser.error('--preset video is a video of argoverse_hd: set --tasks argoverse_hd')
    return args


def main() -> None:
    """Make the requested data sets."""
    args = parse_args()
    for name in args.tasks:
        begin = time.monotonic()
        task = importlib.import_module(f'mini_street.{name}').task(args.preset, args.seed)
        run(task, args.out / name, args.preset, args.seed, args.workers)
        print(f'{name}: {args.out / name} ({time.monotonic() - begin:.0f} s)')


if __name__ == '__main__':
    run_tool(main)
