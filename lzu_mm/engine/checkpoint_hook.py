"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

from contextlib import contextmanager
from inspect import signature
from typing import Any, Iterator

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..checks import check_whole
from ..registry import HOOKS
from .randomness import random_states


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, which removes old checkpoints once the new one is written.

    The stock hook removes them before; a training with ``max_keep_ckpts=1`` that is killed between
    the two is lost. The random states go along, from which ``RandomStatesHook`` goes on.
    ``tools/train.py`` puts this one in the stock one's place.

    Args:
        *args: As for ``mmengine.hooks.CheckpointHook``.
        **kwargs: As for ``mmengine.hooks.CheckpointHook``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Else an epoch is lost before they are noticed.
        for name in ('interval', 'max_keep_ckpts'):
            check_whole(f'default_hooks.checkpoint.{name}', getattr(self, name), '[-1, inf)')
        for name in set(self.args) - set(signature(Runner.save_checkpoint).parameters):
            raise TypeError(f'CheckpointHook got an unexpected keyword argument {name!r}')

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        meta = {**meta, 'random_states': random_states(runner.model)}
        with self._removing_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        with self._removing_last():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _removing_last(self) -> Iterator[None]:
        """Put off what is to be removed until the block has ended well."""
        backend: Any = vars(self)['file_backend']
        later = _RemovingLater(backend)
        self.file_backend = later
        try:
            yield
        finally:
            self.file_backend = backend
        current = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
        current.update(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path in later.outdated if is_main_process() else ():
            if path not in current:
                remove = backend.rmtree if backend.isdir(path) else backend.remove
                remove(path)


class _RemovingLater:
    """A file backend that notes what is to be removed."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Note a file."""
        self.outdated.append(path)

    rmtree = remove
