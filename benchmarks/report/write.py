"""The report of a results file: Markdown, CSV and a picture beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Sequence

from lzu_mm.files import replacing

from .plots import plot_accuracy_over_latency
from .results import Summary, Timed, read_runs, summarise, timed
from .tables import accuracy_table, comma_separated, markdown

# The default columns of a table: the metrics of the stock evaluators that papers report.
_MAIN_METRICS = (
    'coco/bbox_mAP',
    'coco/bbox_mAP_50',
    'coco/bbox_mAP_t',
    'coco/bbox_mAP_s',
    'coco/bbox_mAP_m',
    'coco/bbox_mAP_l',
    'mIoU',
    'mAcc',
    'NuScenes metric/pred_instances_3d_NuScenes/NDS',
    'NuScenes metric/pred_instances_3d_NuScenes/mAP',
)


def write_report(
    results: Path,
    metrics: Sequence[str] | None = None,
    latency: Sequence[Path] = (),
    baseline: str | None = None,
    decimals: int = 1,
) -> None:
    """Write ``.md`` and ``.csv`` beside a results file; with latencies, a picture too.

    Args:
        results: The ``.jsonl`` file of the runs.
        metrics: Columns; by default those of the stock evaluators that papers report.
        latency: JSON files of ``benchmarks/cost.py``, if any.
        baseline: The row that the first metric of the others is compared with, seed by seed.
        decimals: Of the metrics, in per cent.

    Raises:
        ValueError: If no run has one of the metrics, no row is the baseline, or a latency file
            cannot be read.
    """
    summaries = summarise(read_runs(results))
    columns = _columns(summaries, metrics)
    latencies = {k: v for path in latency for k, v in read_latencies(path).items()}
    header, rows = accuracy_table(summaries, columns, latencies or None, baseline, decimals)
    for suffix, text in (('.md', markdown(header, rows)), ('.csv', comma_separated(header, rows))):
        with replacing(results.with_suffix(suffix)) as draft:
            draft.write_text(text)
    if latencies and columns:
        plot_accuracy_over_latency(summaries, columns[0], latencies, results.with_suffix('.png'))


def read_latencies(path: Path) -> dict[Timed, float]:
    """Milliseconds per image of each model in a file of ``benchmarks/cost.py``.

    Raises:
        ValueError: If it is not such a file.
    """
    try:
        content = json.loads(path.read_text())
        shared = content['settings']['options']
        return {
            timed(each['config'], {**each.get('options', {}), **shared}): each['ms']['total']
            for each in content['results']
        }
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f'{path} is not a file of benchmarks/cost.py ({error!r})') from error


def _columns(summaries: Sequence[Summary], wanted: Sequence[str] | None) -> list[str]:
    known = {name for summary in summaries for name in summary.metrics}
    if wanted is None:
        return [name for name in _MAIN_METRICS if name in known]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ValueError(f'no run has the metrics {missing}; there are {sorted(known)}')
    return list(wanted)
