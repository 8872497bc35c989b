"""A resumed training draws the random numbers that it would have drawn without the interruption.

mmengine resumes the weights and the optimizer, but lets all generators start from the seed again,
and the sampler from that of the new process. Validation draws from the same generators; here
training does not notice it.
"""

from __future__ import annotations

import random
from typing import Any, Callable, Iterator

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from ..registry import HOOKS
from .weights import unwrapped

__all__ = ['RandomStatesHook', 'random_states', 'resume_with_seed']


def random_states(model: nn.Module) -> list[dict[str, Any]]:
    """The states of the generators of all processes, made of what torch loads safely.

    All processes have to call it together.

    Args:
        model: Whose parts may have generators of their own, such as that of ``zoom.train_prob``.

    Returns:
        The states by rank.
    """
    return all_gather_object(_states(model))


def resume_with_seed(cfg: Config, seed: int | None) -> None:
    """Let samplers and workers start from the seed of the training that is resumed.

    Args:
        cfg: The config to build the runner from.
        seed: As its checkpoint has it; None changes nothing.
    """
    known = cfg.get('randomness') or {}
    if seed is None:
        return
    if known.get('seed') not in (None, seed):
        print_log(
            f'resuming with the seed of the checkpoint, {seed}, instead of {known["seed"]}',
            'current',
            30,
        )
    cfg.randomness = dict(known, seed=seed)


@HOOKS.register_module()
class RandomStatesHook(Hook):
    """Restores the states that a checkpoint has, and those before each validation after it.

    ``SafeCheckpointHook`` stores them. What differs after resuming is said: persistent workers of
    an epoch-based training draw their augmentations from the seed again.
    """

    # What other hooks draw at the same moment comes before.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.resumed: list[dict[str, Any]] | None = None
        self.before: dict[str, Any] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """See ``mmengine.hooks.Hook``."""
        if runner._resume:
            self.resumed = checkpoint.get('meta', {}).get('random_states', [])

    def before_train(self, runner: Runner) -> None:
        """See ``mmengine.hooks.Hook``."""
        if self.resumed is None:
            return
        states, self.resumed = self.resumed, None
        if len(states) != get_world_size():
            print_log(
                f'the checkpoint has the random states of {len(states)} processes, and resumes in '
                f'{get_world_size()}: the training draws other numbers than without the '
                'interruption',
                'current',
                30,
            )
            return
        loop = runner.train_loop
        if isinstance(loop, IterBasedTrainLoop):
            # The loop first skips the batches that were trained on, which draws numbers as well.
            loop.dataloader_iterator = _RestoringAfter(
                loop.dataloader_iterator,
                loop.iter,
                lambda: _restore(runner.model, states[get_rank()]),
            )
            return
        _restore(runner.model, states[get_rank()])
        if getattr(loop.dataloader, 'persistent_workers', False):
            print_log(
                'the persistent workers of train_dataloader draw augmentations from the seed again,'
                ' other ones than without the interruption',
                'current',
            )

    def before_val(self, runner: Runner) -> None:
        """See ``mmengine.hooks.Hook``."""
        self.before = _states(runner.model)

    def after_val(self, runner: Runner) -> None:
        """See ``mmengine.hooks.Hook``."""
        _restore(runner.model, self.before)


class _RestoringAfter:
    """An iterator over batches that restores states before all but some first ones."""

    def __init__(self, batches: Iterator[Any], skipped: int, restore: Callable[[], None]) -> None:
        self.batches, self.skipped, self.restore = batches, skipped, restore

    def __next__(self) -> Any:
        if self.skipped == 0:
            self.restore()
        self.skipped -= 1
        return next(self.batches)

    def skip_iter(self, count: int) -> None:
        """What the fork's loop asks of its iterator; its own way draws other numbers."""
        for _ in range(count):
            next(self)


def _states(model: nn.Module) -> dict[str, Any]:
    state: Any = np.random.get_state()
    name, keys, *rest = state
    return dict(
        python=random.getstate(),
        numpy=(name, keys.tolist(), *rest),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        model={name: own.getstate() for name, own in _generators(model).items()},
    )


def _restore(model: nn.Module, states: dict[str, Any]) -> None:
    random.setstate(states['python'])
    name, keys, *rest = states['numpy']
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(states['torch'].cpu())
    if states['cuda'] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'].cpu())
    for name, own in _generators(model).items():
        if name in states['model']:
            own.setstate(states['model'][name])


def _generators(model: Any) -> dict[str, random.Random]:
    """Generators of Python that belong to parts of a model."""
    return {
        name: value
        for name, module in unwrapped(model).named_modules()
        for value in vars(module).values()
        if isinstance(value, random.Random)
    }
