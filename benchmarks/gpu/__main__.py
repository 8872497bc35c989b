"""Run the parts one after the other, within a bound of time.

A part that fails is reported, and the next one goes on; what is found is written after each part.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Callable

import torch

from gpu import checks, cost, detector, sync, train
from gpu.clock import Setting, free_memory
from report.environment import describe_machine

# Name, what it runs, and the seconds that must be left for it to begin.
PARTS: dict[str, tuple[Callable[[Setting], Any], float]] = {
    'checks': (checks.run, 10),
    'sync': (sync.run, 10),
    'cost': (cost.run, 15),
    'detector': (detector.run, 20),
    'compiled': (detector.run_compiled, 45),
    'train': (train.run, 60),
}


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cuda', help='cuda or cpu')
    parser.add_argument('--quick', action='store_true', help='tiny sizes, to try the script')
    parser.add_argument('--minutes', type=float, default=8, help='bound of the whole')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--repeats', type=int, help='timed calls (default: 30, 2 with --quick)')
    parser.add_argument(
        '--data', type=Path, help='mini-street, for training (default: rendered when it is missing)'
    )
    parser.add_argument('--train-minutes', type=float, default=4, help='bound of the training')
    parser.add_argument('--out', type=Path, help='.json file for what is found')
    args = parser.parse_args()
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('there is no GPU: --device cpu --quick tries the script')
    return args


def main() -> int:
    """Run, print and write."""
    args = parse_args()
    setting = Setting(
        device=torch.device(args.device),
        quick=args.quick,
        repeats=args.repeats or (2 if args.quick else 30),
        deadline=time.monotonic() + 60 * args.minutes,
        data=args.data,
        train_seconds=60 * args.train_minutes,
    )
    found: dict[str, Any] = {'machine': describe_machine(), 'parts': {}}
    print(json.dumps(found['machine']))
    failed = False
    for name in args.parts:
        run, needed = PARTS[name]
        begin = time.monotonic()
        if setting.left() < (0 if args.quick else needed):
            print(f'\n## {name}: skipped, {setting.left():.0f} s are left and it takes {needed} s')
            result: dict[str, Any] = {'state': 'skipped'}
        else:
            print(f'\n## {name}', flush=True)
            result = _attempt(run, setting)
            failed = failed or result['state'] == 'failed'
        result['seconds'] = round(time.monotonic() - begin, 1)
        print(f'{name}: {result["state"]} after {result["seconds"]} s', flush=True)
        found['parts'][name] = result
        if args.out:
            _write(args.out, found)
        if result['state'] == 'failed' and True in setting.ways and _lost(setting.device):
            _go_on_without_kernels(args, name, setting)
    return int(failed)


def _attempt(run: Callable[[Setting], Any], setting: Setting) -> dict[str, Any]:
    try:
        rows = run(setting)
    except Exception as error:  # whatever it is, the next part goes on
        traceback.print_exc()
        rows = getattr(error, 'rows', None)
        return {'state': 'failed', 'error': f'{type(error).__name__}: {error}', 'rows': rows}
    finally:
        free_memory(setting.device)
    bad = [row['name'] for row in rows if row.get('error')]
    return {'state': 'failed' if bad else 'done', 'rows': rows}


def _lost(device: torch.device) -> bool:
    """Whether a kernel went astray: nothing runs in this process from then on."""
    try:
        torch.ones(1, device=device).sum().item()
    except RuntimeError:
        return True
    return False


def _go_on_without_kernels(args: Namespace, name: str, setting: Setting) -> None:
    print('\nthe device is lost to this process: once more without the fused kernels', flush=True)
    rest = args.parts[args.parts.index(name) :]
    options = ['--minutes', setting.left() / 60, '--repeats', setting.repeats, '--parts', *rest]
    if args.out:
        options += ['--out', args.out.with_name(f'{args.out.stem}-plain.json')]
    if args.data:
        options += ['--data', args.data]
    command = [sys.executable, '-u', '-m', 'gpu', *map(str, options)]
    os.execve(sys.executable, command, {**os.environ, 'LZU_FUSED': '0'})


def _write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + '.part')
    aside.write_text(json.dumps(found, indent=1) + '\n')
    os.replace(aside, path)


if __name__ == '__main__':
    raise SystemExit(main())
