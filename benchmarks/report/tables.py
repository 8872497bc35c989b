"""Tables as text."""

from __future__ import annotations

import csv
import io
from typing import Any, Sequence

from .results import Summary, Timed, of_model, paired_difference

_PERCENTAGES = ('mIoU', 'mAcc', 'aAcc')


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right.

    Args:
        header: Titles of the columns.
        rows: As many cells each as there are titles.

    Returns:
        The table, one line per row, ending in a newline.
    """
    rule = [':--', *['--:'] * (len(header) - 1)]
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in (header, rule, *rows))


def comma_separated(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([header, *rows])
    return text.getvalue()


def accuracy_table(
    summaries: Sequence[Summary],
    metrics: Sequence[str],
    latencies: dict[Timed, float] | None = None,
    baseline: str | None = None,
    decimals: int = 1,
) -> tuple[list[str], list[list[str]]]:
    """Mean and standard deviation over the seeds.

    Args:
        summaries: One row each.
        metrics: Names of the metrics, one column each.
        latencies: Milliseconds per image of some models; None leaves the column out.
        baseline: The row, by its name in the first column, that the first metric of the others is
            compared with, seed by seed; None leaves the column out.
        decimals: Of the metrics, in per cent.

    Returns:
        Header and rows.

    Raises:
        ValueError: If there is no such baseline.
    """
    header = ['config', 'seeds', *(metric.split('/')[-1] for metric in metrics)]
    names = labels(summaries)
    rows = [
        [label, str(len(s.seeds)), *(_mean_and_std(s, metric, decimals) for metric in metrics)]
        for label, s in zip(names, summaries)
    ]
    if baseline is not None and metrics:
        if baseline not in names:
            raise ValueError(f'no row is named {baseline}; there are {names}')
        other = summaries[names.index(baseline)]
        header.append(f'Δ {metrics[0].split("/")[-1]} (standard error)')
        for row, summary in zip(rows, summaries):
            row.append(
                '' if summary is other else _difference(summary, other, metrics[0], decimals)
            )
    if latencies is not None:
        header.append('ms')
        for row, summary in zip(rows, summaries):
            latency = latencies.get(summary.timed)
            row.append('' if latency is None else f'{latency:.1f}')
    return header, rows


def labels(summaries: Sequence[Summary]) -> list[str]:
    """Names of the rows: the config and what was overridden in it.

    What all rows share is left out, unless it changes the model: its config may be named otherwise.
    """
    others = [s.options.items() - of_model(s.options).items() for s in summaries]
    common = set.intersection(*others) if others else set()
    return [
        label(s.config, dict(o for o in s.options.items() if o not in common)) for s in summaries
    ]


def label(config: str, options: dict[str, Any]) -> str:
    """The name of a row: a config, and in brackets what is overridden in it."""
    changes = ', '.join(override(key, value) for key, value in options.items())
    return f'{config} ({changes})' if changes else config


def override(key: str, value: object) -> str:
    """An override of a config in short: the last part of its key, and its value."""
    return f'{key.split(".")[-1]}={value}'


def per_cent(metric: str) -> int:
    """The factor that turns a metric into per cent: COCO's AP and NDS are fractions."""
    return 1 if metric.split('/')[-1] in _PERCENTAGES else 100


def _mean_and_std(summary: Summary, metric: str, decimals: int) -> str:
    if not summary.metrics.get(metric):
        return ''
    factor = per_cent(metric)
    std = summary.std(metric)
    spread = '' if std is None else f' ± {factor * std:.{decimals}f}'
    return f'{factor * summary.mean(metric):.{decimals}f}{spread}'


def _difference(summary: Summary, baseline: Summary, metric: str, decimals: int) -> str:
    found = paired_difference(summary, baseline, metric)
    if found is None:
        return ''
    difference, error = found
    factor = per_cent(metric)
    spread = '' if error is None else f' ({factor * error:.{decimals}f})'
    return f'{factor * difference:+.{decimals}f}{spread}'
