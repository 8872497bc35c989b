"""Run the parts one after the other, within a bound of time.

A part that fails is reported, and the next one goes on; what is found is written after each part.
Where a row loses the device, a fresh process takes its place and goes on with the next row.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Callable

import torch

from gpu import checks, cost, detector, sync, train
from gpu.clock import DeviceLostError, Setting, free_memory
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
    parser.add_argument('--only', nargs='+', default=[], help='rows with one of these in the name')
    parser.add_argument('--resume', type=Path, help='.json file of the process before this one')
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
        only=tuple(args.only),
    )
    if args.resume:
        found = json.loads(args.resume.read_text())
    else:
        found = {'machine': describe_machine(), 'parts': {}}
        print(json.dumps(found['machine']))
    for name in args.parts:
        run, needed = PARTS[name]
        begin = time.monotonic()
        before = found['parts'].get(name, {}).get('rows') or []
        setting.done = frozenset(row['name'] for row in before)
        if setting.left() < (0 if args.quick else needed):
            print(f'\n## {name}: skipped, {setting.left():.0f} s are left and it takes {needed} s')
            result: dict[str, Any] = {'state': 'skipped'}
            lost = False
        else:
            print(f'\n## {name}', flush=True)
            result, lost = _attempt(run, setting)
        if before:
            result['rows'] = [*before, *(result.get('rows') or [])]
            result['state'] = _state(result['state'], result['rows'])
        result['seconds'] = round(time.monotonic() - begin, 1)
        print(f'{name}: {result["state"]} after {result["seconds"]} s', flush=True)
        found['parts'][name] = result
        if args.out:
            _write(args.out, found)
        if lost:
            _go_on(args, name, setting, found)
    return int(any(part['state'] == 'failed' for part in found['parts'].values()))


def _attempt(run: Callable[[Setting], Any], setting: Setting) -> tuple[dict[str, Any], bool]:
    """What the part finds, and whether the device is lost."""
    try:
        rows = run(setting)
    except DeviceLostError as error:
        return {'state': 'failed', 'error': str(error), 'rows': error.rows}, True
    except Exception as error:  # whatever it is, the next part goes on
        traceback.print_exc()
        return {'state': 'failed', 'error': f'{type(error).__name__}: {error}', 'rows': None}, False
    finally:
        free_memory(setting.device)
    return {'state': _state('done', rows), 'rows': rows}, False


def _state(state: str, rows: list[dict[str, Any]]) -> str:
    return 'failed' if any(row.get('error') for row in rows) else state


def _go_on(args: Namespace, name: str, setting: Setting, found: dict[str, Any]) -> None:
    """Replace this process by one that makes the other rows."""
    print('\nthe device is lost to this process: a fresh one goes on', flush=True)
    resume = args.resume or Path(tempfile.mkdtemp(prefix='lzu_gpu_')) / 'found.json'
    _write(resume, found)
    rest = args.parts[args.parts.index(name) :]
    options = ['--device', args.device, '--minutes', setting.left() / 60]
    options += ['--repeats', setting.repeats, '--train-minutes', args.train_minutes]
    options += ['--resume', resume, '--parts', *rest]
    options += ['--quick'] * args.quick + (['--only', *args.only] if args.only else [])
    for option, path in (('--out', args.out), ('--data', args.data)):
        options += [option, path] if path else []
    command = [sys.executable, '-u', '-m', 'gpu', *map(str, options)]
    os.execv(sys.executable, command)


def _write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + '.part')
    aside.write_text(json.dumps(found, indent=1) + '\n')
    os.replace(aside, path)


if __name__ == '__main__':
    raise SystemExit(main())
