"""Results of trained and tested models: one line of JSON per run, and their summary over seeds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from pathlib import Path
from statistics import mean, stdev
from typing import Any, FrozenSet, Iterable, Tuple

# A config and those of its overrides that change the model.
Timed = Tuple[str, FrozenSet[Tuple[str, str]]]


@dataclass(frozen=True)
class Run:
    """A config trained and tested with one seed.

    Attributes:
        config: Name of the config, without folder and suffix.
        seed: Of the training.
        options: Overrides of the config, as given to ``--cfg-options``.
        amp: Whether it was trained in mixed precision.
        metrics: What the evaluator found.
        train_s: Seconds of training, over all resumptions.
        environment: Commit, versions and machine of the run.
    """

    config: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    amp: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    train_s: float | None = None
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def variant(self) -> tuple[str, str, bool]:
        """What runs that differ only by their seed have in common."""
        return self.config, json.dumps(self.options, sort_keys=True), self.amp


@dataclass(frozen=True)
class Summary:
    """The runs of one variant.

    Attributes:
        config: See :class:`Run`.
        options: See :class:`Run`.
        seeds: In the order of the runs.
        metrics: Values of each metric, one per seed; NaN where that run has it not.
    """

    config: str
    options: dict[str, Any]
    seeds: list[int]
    metrics: dict[str, list[float]]

    def mean(self, metric: str) -> float:
        """Mean of a metric over the seeds; NaN where no run has it."""
        values = self._known(metric)
        return mean(values) if values else float('nan')

    @property
    def timed(self) -> Timed:
        """The key of its latency, which options of the training do not change."""
        return timed(self.config, self.options)

    def std(self, metric: str) -> float | None:
        """Sample standard deviation of a metric over the seeds; None with a single seed."""
        values = self._known(metric)
        return stdev(values) if len(values) > 1 else None

    def _known(self, metric: str) -> list[float]:
        return [value for value in self.metrics.get(metric, []) if not isnan(value)]


def paired_difference(
    summary: Summary, baseline: Summary, metric: str
) -> tuple[float, float | None] | None:
    """What a variant gains over another with the same seeds.

    The seed decides the order of the images and the weights of new layers on both sides: pairs of
    runs share what these do, so that their difference varies less than either.

    Args:
        summary: The variant.
        baseline: The other.
        metric: Name of the metric.

    Returns:
        Mean of the differences over the seeds that both have, and its standard error; None for the
        error of a single seed, and for all where no seed is shared.
    """
    of_seed, other_of_seed = (
        dict(zip(s.seeds, s.metrics.get(metric, []))) for s in (summary, baseline)
    )
    differences = [
        value - other_of_seed[seed] for seed, value in of_seed.items() if seed in other_of_seed
    ]
    differences = [difference for difference in differences if not isnan(difference)]
    if not differences:
        return None
    error = stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else None
    return mean(differences), error


def timed(config: str, options: dict[str, Any]) -> Timed:
    """The key under which a latency is looked up.

    Args:
        config: Name of the config.
        options: Its overrides; only those of ``model`` count.

    Returns:
        A key that is the same for a run and for the benchmark of its model.
    """
    changes = ((k, _as_word(v)) for k, v in of_model(options).items())
    return config, frozenset(changes)


def of_model(options: dict[str, Any]) -> dict[str, Any]:
    """Those overrides of a config that change its model, and with it the latency."""
    return {key: value for key, value in options.items() if key.startswith('model.')}


def _as_word(value: object) -> str:
    # Command lines give words, benchmarks values: '64,64' and '(64, 64)' are [64, 64].
    return str(value).replace(' ', '').strip('[()]')


def append_run(path: Path, run: Run) -> None:
    """Add a run to a results file.

    Args:
        path: A ``.jsonl`` file, created if missing.
        run: The finished run.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(run)) + '\n'
    # A line that a kill cut short must not take this one with it.
    whole = not path.exists() or path.read_bytes()[-1:] in (b'', b'\n')
    with path.open('a') as file:
        file.write(line if whole else '\n' + line)


def read_runs(path: Path) -> list[Run]:
    """Read a results file.

    Args:
        path: A ``.jsonl`` file; a missing one holds no runs.

    Returns:
        Its runs, in order; a line that is there twice counts once.

    Raises:
        ValueError: If a line is not a run, or two tell differently of one; with their numbers.
    """
    runs: dict[Any, tuple[int, Run]] = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        try:
            run = Run(**json.loads(line))
            key = (*run.variant, run.seed)
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f'line {number} of {path} is not a run ({error}); remove it'
            ) from error
        first, known = runs.setdefault(key, (number, run))
        if known.metrics != run.metrics:
            if known.metrics and run.metrics:
                raise ValueError(
                    f'lines {first} and {number} of {path} are one run, of {run.config} with seed '
                    f'{run.seed}, and differ: remove one'
                )
            runs[key] = (number, run if run.metrics else known)
    return [run for _, run in runs.values()]


def summarise(runs: Iterable[Run]) -> list[Summary]:
    """Gather runs that differ only by their seed, in the order of their first run.

    Runs without any metric, which were not tested, are left out.
    """
    variants: dict[tuple[str, str, bool], list[Run]] = {}
    for run in filter(lambda run: run.metrics, runs):
        variants.setdefault(run.variant, []).append(run)
    return [
        Summary(
            config=group[0].config,
            options=group[0].options,
            seeds=[run.seed for run in group],
            metrics={
                name: [run.metrics.get(name, nan) for run in group]
                for name in dict.fromkeys(name for run in group for name in run.metrics)
            },
        )
        for group in variants.values()
    ]
