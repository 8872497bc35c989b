"""The picture of a comparison: accuracy over latency."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import matplotlib
from matplotlib.figure import Figure

from lzu_mm.files import replacing

from .results import Summary, Timed, of_model
from .tables import override, per_cent

_SCALES = ('model.data_preprocessor.zoom.scale', 'model.data_preprocessor.zoom.size')


def plot_accuracy_over_latency(
    summaries: Sequence[Summary], metric: str, latencies: dict[Timed, float], path: Path
) -> None:
    """Draw one line per method over its scales, with the standard deviation of the seeds as bars.

    Args:
        summaries: The variants; those without a latency are left out.
        metric: The accuracy.
        latencies: Milliseconds per image of some models.
        path: The picture to write; its suffix is the format.
    """
    methods: dict[str, list[Summary]] = {}
    for summary in summaries:
        if summary.timed in latencies and summary.metrics.get(metric):
            methods.setdefault(method_of(summary), []).append(summary)
    factor = per_cent(metric)
    with matplotlib.rc_context({'font.size': 9, 'axes.grid': True, 'grid.alpha': 0.3}):
        figure = Figure(figsize=(6, 4 + 0.15 * len(methods)), layout='constrained')
        axes = figure.add_subplot()
        for name, group in methods.items():
            group = sorted(group, key=lambda summary: latencies[summary.timed])
            axes.errorbar(
                [latencies[summary.timed] for summary in group],
                [factor * summary.mean(metric) for summary in group],
                yerr=[factor * (summary.std(metric) or 0) for summary in group],
                marker='o',
                markersize=4,
                capsize=3,
                label=name,
            )
        axes.set_xlabel('latency per image, ms')
        axes.set_ylabel(f'{metric.split("/")[-1]}, per cent')
        if methods:
            figure.legend(loc='outside lower center', fontsize='small')
        with replacing(path) as draft:
            figure.savefig(draft, dpi=150)


def method_of(summary: Summary) -> str:
    """The method of a variant, the same at all scales.

    Args:
        summary: A variant.

    Returns:
        The first word of the config's name, with what else was overridden in its model.
    """
    changes = [
        override(key, Path(value).name if key.endswith('.path') else value)
        for key, value in sorted(of_model(summary.options).items())
        if key not in _SCALES
    ]
    return ' '.join([summary.config.split('_')[0], *changes])
