"""The picture of a comparison: accuracy over latency."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import matplotlib
from matplotlib.figure import Figure

from .results import Summary


def plot_accuracy_over_latency(
    summaries: Sequence[Summary], metric: str, latencies: dict[str, float], path: Path
) -> None:
    """Draw one line a method over its scales, with the seeds' standard deviation as bars.

    Args:
        summaries: The variants; those without a latency are left out.
        metric: The accuracy.
        latencies: Milliseconds an image, by name of the config.
        path: The picture to write; its suffix is the format.
    """
    methods: dict[str, list[Summary]] = {}
    for summary in summaries:
        if summary.config in latencies and summary.metrics.get(metric):
            methods.setdefault(summary.config.split('_')[0], []).append(summary)
    with matplotlib.rc_context({'font.size': 9, 'axes.grid': True, 'grid.alpha': 0.3}):
        figure = Figure(figsize=(6, 4), layout='constrained')
        axes = figure.add_subplot()
        for name, group in methods.items():
            group = sorted(group, key=lambda summary: latencies[summary.config])
            axes.errorbar(
                [latencies[summary.config] for summary in group],
                [summary.mean(metric) for summary in group],
                yerr=[summary.std(metric) or 0 for summary in group],
                marker='o',
                markersize=4,
                capsize=3,
                label=name,
            )
        axes.set_xlabel('latency of an image, ms')
        axes.set_ylabel(metric.split('/')[-1])
        if methods:
            axes.legend()
        figure.savefig(path, dpi=150)
