"""How every tool ends: errors of the user in one line, those of ours with their traceback.

The traceback tells whose an error is. What this package raises by itself is meant for the user, and
what slips through its code is a mistake of ours. Elsewhere, the config or the data are wrong where
a config is being read, a part built from it, or a sample loaded.
"""

from __future__ import annotations

import difflib
import inspect
import linecache
import re
import sys
import traceback
from pathlib import Path
from types import CodeType
from typing import Any, Callable, Iterator, Mapping

from mmengine.config import Config, DictAction
from mmengine.dataset import BaseDataset
from mmengine.registry import OPTIMIZERS, Registry, build_from_cfg
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

import lzu_mm

from ..quiet import ends_quietly
from .configs import load_config

__all__ = ['reason_of', 'run_tool']

_PACKAGE = str(Path(__file__).parents[1])
# They lie in the surroundings, wherever they come up.
_OUTSIDE = (OSError, ImportError)
_USER_ERROR = 2
_LONGEST = 1000
# What NumPy says of a dataset that MMEngine found no image of.
_NOTHING_LEFT = 'need at least one array to concatenate'


def run_tool(main: Callable[[], Any]) -> Any:
    """Run a tool, and end it as its user expects.

    An error of the user is told in one line, ``error: …``, and ends with status 2; ``--traceback``
    on the command line of any tool shows where it came from. Ctrl-C ends with 130, without a word.

    Args:
        main: The tool, which reads ``sys.argv``. What it raises as ``SystemExit('error: …')`` is
            an error of the user too.

    Returns:
        What the tool returns.

    Raises:
        SystemExit: At errors of the user.
        Exception: At any other.
    """
    shown = '--traceback' in sys.argv[1:]
    if shown:
        sys.argv.remove('--traceback')
    with ends_quietly():
        try:
            return main()
        except SystemExit as end:
            if not isinstance(end.code, str):
                raise
            message, error = end.code, end.__cause__
        except BrokenPipeError:
            raise
        except Exception as caught:
            if _is_interrupt(caught):
                raise KeyboardInterrupt from None
            described = _describe(caught, (_PACKAGE, str(Path(main.__code__.co_filename).parent)))
            if described is None:
                raise
            where = '' if shown else ' (--traceback shows where)'
            message, error = f'error: {described}{where}', caught
        if shown and error is not None:
            traceback.print_exception(type(error), error, error.__traceback__)
        print(message, file=sys.stderr)
        ended = SystemExit(message)
        ended.code = _USER_ERROR
        raise ended from None


def reason_of(error: BaseException) -> str:
    """What an error says, in one line, without advice that would be unsafe to follow."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if 'Original Traceback' in text:
        # Of a worker of the data loader, which hands over its traceback as text.
        text = re.sub(r'^[\w.]+: ', '', text.strip().splitlines()[-1])
    if 'weights_only' in text:
        text = text.split('. ')[0].split('\n')[0]
    text = re.sub(r'class `(\w+)` in \S+\.py: ', r'\1: ', text)  # as the fork of mmengine has it
    text = text.partition('More details can be found')[0]
    text = ' '.join(text.split())[:_LONGEST]
    if ' ' in text:
        return text
    return f'{type(error).__name__}: {text}' if text else type(error).__name__


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: mmengine catches it, and raises another."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _describe(error: Exception, ours: tuple[str, ...]) -> str | None:
    """The message for the user; None if the error is a mistake in code of ours."""
    stack = list(traceback.walk_tb(error.__traceback__))
    of_worker = re.findall(r'  File "(.+)", line (\d+), in', str(error))
    file, line = of_worker[-1] if of_worker else (stack[-1][0].f_code.co_filename, stack[-1][1])
    in_ours = file.startswith(ours)
    meant = in_ours and linecache.getline(file, int(line)).lstrip().startswith('raise')
    outside = isinstance(error, _OUTSIDE)
    if in_ours and not meant and not outside:
        return None
    for frame, _ in reversed(stack):
        words = _PLACES.get(frame.f_code)
        if words is not None:
            return words(error, frame.f_locals)
    return reason_of(error) if meant or of_worker or outside else None


def _reading(error: Exception, found: Mapping[str, Any]) -> str:
    return f'cannot read the config {found.get("path")}: {reason_of(error)}'


def _overriding(error: Exception, found: Mapping[str, Any]) -> str:
    return f'--cfg-options do not fit the config: {reason_of(error)}'


def _parsing(error: Exception, found: Mapping[str, Any]) -> str:
    return f'{found.get("option_string")} takes KEY=VALUE, not {found.get("kv")!r}'


def _loading_weights(error: Exception, found: Mapping[str, Any]) -> str:
    return f'cannot read the checkpoint {found.get("filename")}: {reason_of(error)}'


def _loading_sample(error: Exception, found: Mapping[str, Any]) -> str:
    return f'cannot load a sample of {type(found.get("self")).__name__}: {reason_of(error)}'


def _building(error: Exception, found: Mapping[str, Any]) -> str:
    kind, part = found.get('obj_type'), found.get('obj_cls')
    if part is None and isinstance(kind, str):
        return f'{reason_of(error)}{_nearest(kind, _names(found.get("registry")))}'
    reason = reason_of(error)
    if reason == _NOTHING_LEFT:
        reason = (
            'no image is left to read. metainfo.classes names its classes as the annotation file '
            'does, letter by letter; filter_cfg leaves out images without them'
        )
    unknown = re.search(r"unexpected keyword argument '(\w+)'", reason)
    near = _nearest(unknown[1], _settings(part)) if unknown else ''
    name = getattr(part, '__name__', kind) or 'a part'
    return f'cannot build {name} as the config has it: {reason}{near}'


def _building_runner(error: Exception, found: Mapping[str, Any]) -> str:
    return f'cannot build the runner as the config has it: {reason_of(error)}'


def _building_loader(error: Exception, found: Mapping[str, Any]) -> str:
    return f'cannot build a dataloader as the config has it: {reason_of(error)}'


def _building_loop(error: Exception, found: Mapping[str, Any]) -> str:
    return f'cannot run train_cfg, val_cfg or test_cfg as the config has it: {reason_of(error)}'


def _building_optimizer(error: Exception, found: Mapping[str, Any]) -> str:
    kind = _at(found.get('optim_wrapper'), 'optimizer', 'type')
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        return f'{kind} is no optimizer{_nearest(kind, _names(OPTIMIZERS))}'
    return f'cannot build optim_wrapper as the config has it: {reason_of(error)}'


def _at(config: Any, *keys: str) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _nearest(word: str, known: Iterator[str]) -> str:
    near = difflib.get_close_matches(word.rpartition('.')[2], list(known), 1)
    scoped = [f'lzu_mm.{name}' if name in lzu_mm.__all__ else name for name in near]
    return f'; did you mean {scoped[0]!r}?' if scoped else ''


def _names(registry: Registry | None) -> Iterator[str]:
    """What is registered in a registry, those above it and those below, and our own names."""
    yield from lzu_mm.__all__  # registered when they are asked for
    while registry is not None and registry.parent is not None:
        yield from registry.module_dict
        registry = registry.parent
    if registry is not None:
        yield from registry.module_dict
        for child in registry.children.values():
            yield from child.module_dict


def _settings(part: Any) -> Iterator[str]:
    """What the constructor of a class takes, and those of the classes above it."""
    for kind in getattr(part, '__mro__', (part,)):
        constructor = vars(kind).get('__init__') if isinstance(kind, type) else kind
        if inspect.isfunction(constructor):
            yield from inspect.signature(constructor).parameters


_PLACES: dict[CodeType, Callable[[Exception, Mapping[str, Any]], str]] = {
    load_config.__code__: _reading,
    Config.merge_from_dict.__code__: _overriding,
    DictAction.__call__.__code__: _parsing,
    CheckpointLoader.load_checkpoint.__func__.__code__: _loading_weights,
    BaseDataset.__getitem__.__code__: _loading_sample,
    build_from_cfg.__code__: _building,
    Runner.from_cfg.__func__.__code__: _building_runner,
    Runner.build_dataloader.__code__: _building_loader,
    Runner.build_train_loop.__code__: _building_loop,
    Runner.build_val_loop.__code__: _building_loop,
    Runner.build_test_loop.__code__: _building_loop,
    Runner.build_optim_wrapper.__code__: _building_optimizer,
}
