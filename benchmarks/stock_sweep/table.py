"""The table of a sweep, by family, for the docs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any, Iterable

from .configs import StockConfig

__all__ = ['table']

_COLUMNS = ('works', 'refused', 'upstream', 'fails', 'wrong', 'timeout')
_TITLE = """\
# Stock configs, swept

Written by `benchmarks/sweep_stock_configs.py --table`. Every config that the installed MMDetection,
MMSegmentation and MMDetection3D ship, each distinct model once (configs that differ in weights,
schedule or number of classes alone share a row), on small images of blocks, on a CPU:

1. `zoomify` writes the child config; it loads as written, and its model predicts and takes a loss;
2. weights go strictly to and from the stock model, under the same keys;
3. uniform saliency at scale 1 predicts what the stock model predicts, through the config's own test
   pipeline, to 1e-4;
4. uniform saliency at scale 0.5 predicts what the stock model predicts behind a pipeline of half
   the size, in original coordinates, to 1e-3;
5. a strong fixed zoom at 0.5 looks where the content of the image, letterboxed or not, has the peak
   of the saliency; every run of a backbone is unzoomed once; predictions are finite;
6. a training step with it, through the config's own training pipeline as zoomify leaves it, has a
   finite loss and finite gradients.

*works*: all of them. *refused*: by `zoomify`, for a reason below. *upstream*: the stock model
itself does not build, predict or train here, for a reason below. *fails* and *wrong*: a fault.
*timeout*: took too long on this machine.
"""


def table(configs: Iterable[StockConfig], results: dict[str, dict[str, Any]]) -> str:
    """The table, with the reasons.

    Args:
        configs: All stock configs.
        results: What is known of some of them, by name.

    Returns:
        Markdown.
    """
    configs = list(configs)
    by_hash = {c.model_hash: results[c.name] for c in configs if c.name in results}
    families: dict[str, dict[str, StockConfig]] = defaultdict(dict)
    counts: Counter[str] = Counter()
    for config in configs:
        counts[config.family] += 1
        families[config.family].setdefault(config.model_hash, config)
    rows, total = [], Counter()
    for family, distinct in sorted(families.items()):
        found = Counter(by_hash[key]['status'] for key in distinct if key in by_hash)
        row = [counts[family], len(distinct), sum(found.values()), *(found[c] for c in _COLUMNS)]
        total.update(dict(zip(('configs', 'distinct', 'reached', *_COLUMNS), row)))
        rows.append(f'| {family.replace("::", " ")} | {" | ".join(str(n or "") for n in row)} |')
    head = '| family | configs | distinct | reached | ' + ' | '.join(_COLUMNS) + ' |'
    lines = [_TITLE, summary(families, by_hash), '', head, '|---' * 10 + '|', *rows]
    lines.append('| **all** | ' + ' | '.join(str(n) for n in total.values()) + ' |')
    return '\n'.join([*lines, '', *_reasons(by_hash.values())]) + '\n'


def summary(families: dict[str, dict[str, StockConfig]], by_hash: dict[str, dict[str, Any]]) -> str:
    """What the table comes to, in a sentence."""
    reached = list(by_hash.values())
    found = Counter(line['status'] for line in reached)
    runnable = {
        family: {by_hash[key]['status'] for key in distinct if key in by_hash}
        - {'upstream', 'timeout'}
        for family, distinct in families.items()
    }
    tried = {family for family, statuses in runnable.items() if statuses}
    without = {
        family
        for family in tried
        if all(_has_no_2d(by_hash[k]) for k in families[family] if k in by_hash)
    }
    works = {family for family in tried if 'works' in runnable[family]}
    share = len(works) / max(len(tried - without), 1)
    # Some models are in two families.
    distinct = set().union(*families.values())
    return (
        f'{len(reached)} of {len(distinct)} distinct models were reached: '
        f'{found["works"]} work, {found["refused"]} are refused, {found["upstream"]} do not run '
        f'unzoomed here, {found["timeout"]} took too long, {found["fails"]} fail and '
        f'{found["wrong"]} are wrong. Of {len(tried - without)} families with 2D features that run '
        f'here, {len(works)} work ({share:.0%}).'
    )


def _has_no_2d(line: dict[str, Any]) -> bool:
    said = ('point clouds', 'TrackDataPreprocessor', 'ReIDDataPreprocessor')
    return line['status'] in ('upstream', 'timeout') or (
        line['status'] == 'refused' and any(word in line['reason'] for word in said)
    )


def _reasons(lines: Iterable[dict[str, Any]]) -> list[str]:
    texts = []
    by_reason: dict[str, dict[str, list[str]]] = {status: defaultdict(list) for status in _COLUMNS}
    for line in lines:
        if line['status'] != 'works':
            by_reason[line['status']][_without_model(line['reason'])].append(line['name'])
    for status in _COLUMNS[1:]:
        if not by_reason[status]:
            continue
        texts += [f'## {status}', '']
        for reason, names in sorted(by_reason[status].items(), key=lambda item: -len(item[1])):
            shown = ', '.join(f'`{name}`' for name in sorted(names)[:3])
            more = f' and {len(names) - 3} more' if len(names) > 3 else ''
            texts.append(f'- {_plain(reason)} — {shown}{more}')
        texts.append('')
    return texts


def _without_model(reason: str) -> str:
    """A reason that models share."""
    return re.sub(r'^ValueError: (\w+ (?=cannot be zoomed))?', '', reason)


def _plain(reason: str) -> str:
    """A reason without the markup that its characters would mean."""
    return reason.replace('|', '\\|').replace('<', '&lt;').replace('*', '\\*')
