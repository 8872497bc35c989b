#!/usr/bin/env python
r"""Zoom every stock config of the installed MM libraries, and compare with the stock model.

Each distinct model goes through zoomify; exchanges weights with the stock model; predicts as the
stock model with uniform saliency, at full scale and at a half, through its own test pipeline;
predicts and takes a training step with a strong fixed zoom. Examples:
    python benchmarks/sweep_stock_configs.py --out sweep.jsonl --families
    python benchmarks/sweep_stock_configs.py --out sweep.jsonl --table docs/stock_configs.md
    python benchmarks/sweep_stock_configs.py --out one.jsonl --only mmdet::retinanet
"""

import contextlib
import functools
import json
import math
import os
import re
import resource
import select
import signal
import sys
import time
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Dict, List

from lzu_mm.files import replacing


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, help='a line of JSON for each config')
    parser.add_argument('--only', default='', help='only configs whose name holds this')
    parser.add_argument(
        '--families',
        action='store_true',
        help='one config a family; again for the next where it does not run',
    )
    parser.add_argument(
        '--shard', default='0/1', help='I/N: every Nth config from the Ith, for N such processes'
    )
    parser.add_argument('--again', default='', help='statuses to try again, comma-separated')
    parser.add_argument(
        '--limit',
        type=float,
        default=300,
        help='seconds of CPU for each config; five times that on the clock',
    )
    parser.add_argument('--hours', type=float, default=24, help='stop after so long')
    parser.add_argument('--table', type=Path, help='write the table of what OUT holds, and stop')
    parser.add_argument('--index', type=Path, help='where to keep what is known of the configs')
    return parser.parse_args()


def known_configs(args: Namespace) -> List[Any]:
    """All stock configs, read once."""
    from stock_sweep.configs import StockConfig, describe, stock_paths

    index = args.index or args.out.with_suffix('.index.json')
    if index.exists():
        rows = json.loads(index.read_text())
        return [StockConfig(name, Path(path), *rest) for name, path, *rest in rows]
    from rich.progress import track

    paths = list(stock_paths())
    described = [describe(*item) for item in track(paths, 'reading configs')]
    configs = [config for config in described if config is not None]
    rows = [(c.name, str(c.path), c.model_hash, c.kinds) for c in configs]
    with replacing(index) as draft:
        draft.write_text(json.dumps(rows))
    return configs


def results(path: Path) -> Dict[str, Dict[str, Any]]:
    """The last result of each config in a file."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith('}')]
    return {line['name']: line for line in lines}


def import_libraries() -> None:
    """Import what every config needs, so that forked processes need not."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    import logging

    from mmengine.logging import MMLogger

    MMLogger.get_instance('mmengine', log_level='ERROR')
    logging.disable(logging.ERROR)
    for library in ('mmdet', 'mmseg', 'mmdet3d'):
        utils = __import__(f'{library}.utils', fromlist=['register_all_modules'])
        utils.register_all_modules(False)
    keep_metafiles()
    import stock_sweep.checks
    from stock_sweep.data import provide_panopticapi

    import lzu_mm  # noqa: F401

    assert stock_sweep.checks
    provide_panopticapi()


def keep_metafiles() -> None:
    """Read the metafiles of the libraries once: MMEngine reads all for each name it resolves."""
    from mmengine.config import utils
    from mmengine.utils import get_installed_path

    utils.load = functools.lru_cache(maxsize=None)(utils.load)
    for library in ('mmdet', 'mmseg', 'mmdet3d'):
        with contextlib.suppress(ValueError):
            utils._get_cfg_metainfo(get_installed_path(library), 'none of this name')


def run_in_process(name: str, limit: float, log: Path) -> Dict[str, Any]:
    """Check a config in a process of its own, which may hang or die."""
    read, write = os.pipe()
    started = time.time()
    child = os.fork()
    if child == 0:
        os.close(read)
        # Not the clock: on a busy machine it would tell of the others.
        seconds = math.ceil(limit)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        _child(name, write, log)
    os.close(write)
    result = _wait(child, read, limit)
    seconds = round(time.time() - started, 1)
    return {'name': name, 'seconds': seconds, **(result or {})}


def _child(name: str, write: int, log: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from stock_sweep.checks import check

    quiet = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        text = json.dumps(check(name), default=str)
        with os.fdopen(write, 'w') as pipe:
            pipe.write(text)
    finally:
        os._exit(0)


def _wait(child: int, read: int, limit: float) -> Dict[str, Any]:
    deadline, text, hangs = time.time() + 5 * limit, b'', False
    try:
        while not hangs:
            ready, _, _ = select.select([read], [], [], max(deadline - time.time(), 0))
            hangs = not ready
            chunk = os.read(read, 65536) if ready else b''
            if not chunk:
                break
            text += chunk
    finally:
        # Also when the sweep itself is stopped.
        if hangs or sys.exc_info()[0] is not None:
            os.kill(child, signal.SIGKILL)
        _, ended = os.waitpid(child, 0)
        os.close(read)
    if text:
        # Messages of compiled code name the folder that it was compiled in.
        return json.loads(re.sub(rb'/[^\s"]*/(?=mmcv/)', b'', text))
    if hangs or ended == signal.SIGXCPU:
        return dict(status='timeout', stage='', reason=f'took longer than {limit:.0f} s')
    return dict(status='fails', stage='process', reason='the process died')


def sweep(args: Namespace) -> None:
    """Check what has not been checked."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from stock_sweep.configs import in_order

    signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped'))
    import_libraries()
    configs = in_order(known_configs(args))
    chosen = [config for config in configs if args.only in config.name]
    again = set(args.again.split(',')) - {''}
    done = {n: line for n, line in results(args.out).items() if line['status'] not in again}
    if args.families:
        chosen = _one_for_each_family(chosen, done)
    first, step = map(int, args.shard.split('/'))
    todo = [config for config in chosen[first::step] if config.name not in done]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    end = time.time() + 3600 * args.hours
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn('{task.description}'),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress, args.out.open('a') as out:
        task = progress.add_task('', total=len(todo))
        for config in todo:
            if time.time() > end:
                break
            progress.update(task, description=config.name)
            line = run_in_process(config.name, args.limit, args.out.with_suffix('.log'))
            line.update(family=config.family, model_hash=config.model_hash)
            out.write(json.dumps(line) + '\n')
            out.flush()
            os.fsync(out.fileno())
            progress.advance(task)


def _one_for_each_family(configs: List[Any], done: Dict[str, Dict[str, Any]]) -> List[Any]:
    """The first config of each family; the next one where the stock model does not run here."""
    first: Dict[str, Any] = {}
    for config in configs:
        status = done.get(config.name, {}).get('status')
        if status not in ('upstream', 'timeout'):
            first.setdefault(config.family, config)
    return list(first.values())


def main() -> None:
    """Sweep, or write the table."""
    args = parse_args()
    if args.table:
        from stock_sweep.table import table

        with replacing(args.table) as draft:
            draft.write_text(table(known_configs(args), results(args.out)))
    else:
        sweep(args)


if __name__ == '__main__':
    main()
