"""Whether a checkpoint is whole, and holds the weights that a model needs.

mmengine loads what fits and logs the rest: a wrong, partial or empty checkpoint tests as AP 0.
"""

from __future__ import annotations

import os.path as osp
import re
import zipfile
from pathlib import Path
from typing import Any, Iterator, Mapping

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from ..registry import HOOKS
from .checkpoint import allow_mmengine_checkpoints
from .tool import reason_of

__all__ = [
    'CheckpointError',
    'CheckpointGuard',
    'check_weights',
    'latest_checkpoint',
    'read_checkpoint',
]

# What a checkpoint of a training holds, to go on with it.
_RESUMED = ('meta', 'state_dict', 'optimizer', 'message_hub')


class CheckpointError(ValueError):
    """A checkpoint cannot be used."""


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint whole, onto the CPU.

    Args:
        path: A file, or what else mmengine reads, such as a URL.

    Returns:
        What it holds.

    Raises:
        CheckpointError: If it is missing, damaged, or holds more than weights and the state of a
            training; the message names it.
    """
    allow_mmengine_checkpoints()
    if '://' not in path:
        _check_archive(path)
    try:
        checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    # A damaged file may fail in any way. The message of torch goes on to say how to load unsafely.
    except Exception as error:
        raise CheckpointError(
            f'{path} cannot be read as a checkpoint: {reason_of(error)}'
        ) from error
    _check_kind(checkpoint, path)
    return checkpoint


def check_weights(
    model: nn.Module,
    checkpoint: Mapping[str, Any],
    name: str,
    training: bool = False,
    allow_partial: bool = False,
) -> None:
    """Refuse a checkpoint that lacks weights of a model, or holds some that are not finite.

    Args:
        model: The model to be given the weights.
        checkpoint: As read.
        name: Of the checkpoint, for messages.
        training: Whether training starts from it: heads and a learned saliency may then be new, but
            not the backbone.
        allow_partial: Warn of missing weights only.

    Raises:
        CheckpointError: If it is refused.
    """
    _check_kind(checkpoint, name)
    found, wanted = _weights(checkpoint), unwrapped(model).state_dict()
    bad = [key for key, value in found.items() if key in wanted and not _is_finite(value)]
    if bad:
        raise CheckpointError(
            f'{name} holds weights that are not finite, such as {bad[0]} ({len(bad)} tensors): the '
            'training had diverged; take an earlier checkpoint'
        )
    # Names that the model does not know may be old ones, which its parts translate.
    fits = {key: v for key, v in found.items() if _shape(wanted.get(key, v)) == _shape(v)}
    missing = list(_missing(unwrapped(model), fits))
    starts = training and len(missing) < len(wanted)
    vital = [key for key in missing if _is_of_backbone(key)] if starts else missing
    if not vital:
        return
    message = (
        f'{name} lacks {len(vital)} of the {len(wanted)} weights of the model, such as {vital[0]}'
        f'{_other_shape(found, wanted, vital[0])}: it belongs to another config, or is not whole'
    )
    if not allow_partial:
        raise CheckpointError(f'{message}. Give the right checkpoint, or --allow-partial to go on')
    print_log(message, 'current', 30)


def latest_checkpoint(work_dir: str) -> str | None:
    """The newest checkpoint of a training that can be gone on with.

    It is the one that ``last_checkpoint`` names or, where that is damaged, moved or gone, the one
    of the most epochs or iterations in the folder that loads. What is passed over is said.

    Args:
        work_dir: Where the training writes.

    Returns:
        Its path, or None if there is none.

    Raises:
        CheckpointError: If there are checkpoints, none of which loads.
    """
    refused: list[str] = []
    for path in _candidates(Path(work_dir)):
        try:
            checkpoint = read_checkpoint(str(path))
            lacking = [key for key in _RESUMED if key not in checkpoint]
            if not lacking:
                for reason in refused:
                    print_log(f'{reason}: passed over, resuming from {path}', 'current', 30)
                return str(path)
            refused.append(f'{path} holds no {", ".join(lacking)}')
        except CheckpointError as error:
            refused.append(str(error))
    if any(Path(work_dir).glob('*.pth')):
        raise CheckpointError(
            f'no checkpoint in {work_dir} can be resumed from: {"; ".join(refused)}. Choose '
            'another --work-dir to start anew'
        )
    return None


@HOOKS.register_module()
class CheckpointGuard(Hook):
    """Checks what the runner has read before the model gets it.

    Args:
        allow_partial: Warn of missing weights only.
    """

    # After hooks that choose among the weights (EMA).
    priority = 'LOWEST'

    def __init__(self, allow_partial: bool = False) -> None:
        self.allow_partial = allow_partial

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """See ``mmengine.hooks.Hook``."""
        name = str(runner._load_from or 'the checkpoint')
        starts = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        check_weights(runner.model, checkpoint, name, starts, self.allow_partial)


def _check_archive(path: str) -> None:
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise CheckpointError(f'there is no checkpoint at {path}')
    if not zipfile.is_zipfile(path):
        return  # the old format of torch has no checksums
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f'{path} is damaged: {error}') from error
    if damaged:
        raise CheckpointError(f'{path} is damaged: the checksum of {damaged} is off')


def _candidates(folder: Path) -> Iterator[Path]:
    """Checkpoints to resume from, the most likely first."""
    pointer = folder / 'last_checkpoint'
    named = Path(pointer.read_text(errors='replace').strip() or '.') if pointer.is_file() else None
    tried = []
    if named is not None and named.name:
        tried = [named, folder / named.name]  # the folder may have been moved
    saved = [path for path in folder.glob('*.pth') if re.fullmatch(r'(epoch|iter)_\d+', path.stem)]
    saved.sort(key=lambda path: (int(path.stem.split('_')[1]), path.stem), reverse=True)
    for path in dict.fromkeys([*tried, *saved]):
        if path.is_file():
            yield path


def _check_kind(checkpoint: Any, name: str) -> None:
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{name} is no checkpoint, but holds a {type(checkpoint).__name__}')
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, dict):
        raise CheckpointError(f'{name} holds a {type(state).__name__} in place of weights')


def _weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    state = checkpoint.get('state_dict', checkpoint)
    return {re.sub(r'^module\.', '', key): value for key, value in state.items()}


def unwrapped(model: Any) -> nn.Module:
    """A model without what trains it in several processes, or augments its tests."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def _missing(model: nn.Module, state: dict[str, Any]) -> Iterator[str]:
    """Weights of a model that it does not find, in old names either."""
    weights = {key: value for key, value in state.items() if not key.endswith('_extra_state')}
    # The model will be given the same weights next.
    for key in model.load_state_dict(weights, strict=False).missing_keys:
        if not key.endswith(('num_batches_tracked', '_extra_state')):
            yield key


def _other_shape(found: Mapping[str, Any], wanted: Mapping[str, Any], key: str) -> str:
    there, here = _shape(found.get(key)), _shape(wanted.get(key))
    if there is None or there == here:
        return ''
    return f' in its shape (it has {tuple(there)} in place of {tuple(here)}: is num_classes right?)'


def _is_of_backbone(key: str) -> bool:
    # A learned saliency may have a backbone of its own, in the data preprocessor.
    return 'backbone.' in key and 'data_preprocessor.' not in key


def _shape(value: Any) -> Any:
    return value.shape if isinstance(value, Tensor) else None


def _is_finite(value: Any) -> bool:
    return not isinstance(value, Tensor) or bool(torch.isfinite(value).all())
