"""The source of a child config: only what differs from its base, as one would write it by hand."""

from __future__ import annotations

import keyword
import textwrap
from typing import Any, Mapping, Sequence

from mmengine.config import Config

__all__ = ['child_source', 'difference', 'settings_of']

_WIDTH = 100


class _Name(str):
    """The name of a variable, as opposed to a string."""


def settings_of(cfg: Config) -> dict[str, Any]:
    """The settings of a config as plain dicts.

    Args:
        cfg: The config.

    Returns:
        Its settings, without the scopes that MMEngine notes in what comes from another library.
    """
    return _plain(cfg.to_dict())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != '_scope_'}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def difference(base: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """What a child config has to set, by the rules with which MMEngine merges it into its base.

    Args:
        base: Settings of the base.
        child: Settings that the child should end up with.

    Returns:
        The settings that differ. Lists are replaced as a whole; dicts are merged, and replaced
        (``_delete_=True``) if a key is to go.
    """
    if set(base) - set(child):
        return {'_delete_': True, **child}
    delta: dict[str, Any] = {}
    for key, value in child.items():
        old = base.get(key)
        if key in base and type(old) is type(value) and old == value:
            continue
        if isinstance(value, dict) and key in base:
            merged = difference(old, value) if isinstance(old, dict) else None
            delta[key] = {'_delete_': True, **value} if merged is None else merged
        else:
            delta[key] = value
    return delta


def child_source(
    reference: str,
    base: Mapping[str, Any],
    child: Mapping[str, Any],
    title: str,
    notes: Mapping[str, Sequence[str]],
    pure_python: bool = False,
) -> str:
    """Write a child config.

    Args:
        reference: The base, as ``_base_`` is to name it; for a pure Python config, the module to
            import.
        base: Settings of the base.
        child: Settings that the child should end up with, including all of the base's top level.
        title: A sentence that heads the file.
        notes: For each top-level setting, sentences to put above it.
        pure_python: Whether the base is a pure Python config (``read_base``).

    Returns:
        Python source, formatted with single quotes and lines of up to 100 characters.
    """
    delta = difference(base, child)
    if pure_python:
        return _pure_python_source(reference, base, delta, title, notes)
    statements = [_comment(title), f'_base_ = {reference!r}\n']
    if 'custom_imports' in delta:
        statements.append(_statement('custom_imports', delta.pop('custom_imports')))
    statements.append('\n')
    known = [(_Name('_base_.model.neck'), base['model'].get('neck'))]
    for name in sorted(delta, key=_rank):
        statements.append(_comment(' '.join(notes.get(name, []))))
        statements.append(_statement(name, _refer(delta[name], known)))
        known.append((_Name(name), delta[name]))
    return ''.join(statements)


def _pure_python_source(
    module: str,
    base: Mapping[str, Any],
    delta: dict[str, Any],
    title: str,
    notes: Mapping[str, Sequence[str]],
) -> str:
    """A child that merges into the variables that it imports, as pure Python configs do."""
    statements = [
        _comment(title),
        'from mmengine.config import read_base\n\n',
        f'with read_base():\n    from {module} import *\n\n',
    ]
    for name in sorted(delta, key=_rank):
        statements.append(_comment(' '.join(notes.get(name, []))))
        if isinstance(delta[name], dict) and isinstance(base.get(name), dict):
            call = f'{name}.merge('
            statements.append(f'{call}{_format(delta[name], 0, len(call), 1)})\n')
        else:
            statements.append(_statement(name, delta[name]))
    return ''.join(statements)


def _rank(name: str) -> tuple[bool, bool]:
    """Order of the statements: what others refer to comes first, then the model."""
    refers = name in ('model', 'custom_hooks') or name.endswith('_dataloader')
    return refers, name != 'model'


def _refer(value: Any, known: Sequence[tuple[_Name, Any]]) -> Any:
    """The value with names for those parts that a variable holds."""
    if not isinstance(value, (dict, list)) or not value:
        return value
    for name, held in known:
        if held == value:
            return name
    if isinstance(value, dict):
        return {key: _refer(item, known) for key, item in value.items()}
    return [_refer(item, known) for item in value]


def _comment(text: str) -> str:
    return ''.join(f'# {line}\n' for line in textwrap.wrap(text, _WIDTH - 2))


def _statement(name: str, value: Any) -> str:
    return f'{name} = {_format(value, 0, len(name) + 3, 0)}\n'


def _format(value: Any, indent: int, column: int, tail: int) -> str:
    """Source of a value that starts at a column, with so many characters to follow on its line."""
    flat = _flat(value)
    if column + len(flat) + tail <= _WIDTH or not isinstance(value, (dict, list, tuple)):
        return flat
    opening, items, closing = _parts(value)
    inner = indent + 4
    one_line = ' ' * inner + ', '.join(prefix + _flat(item) for prefix, item in items)
    # Arguments of a call may share a line; a display has a line for each.
    if opening == 'dict(' and len(one_line) <= _WIDTH:
        return f'{opening}\n{one_line}\n{" " * indent}{closing}'
    lines = [
        f'{" " * inner}{prefix}{_format(item, inner, inner + len(prefix), 1)},\n'
        for prefix, item in items
    ]
    return f'{opening}\n{"".join(lines)}{" " * indent}{closing}'


def _flat(value: Any) -> str:
    if isinstance(value, _Name):
        return str(value)
    if not isinstance(value, (dict, list, tuple)):
        return repr(value)
    opening, items, closing = _parts(value)
    comma = ',' if isinstance(value, tuple) and len(value) == 1 else ''
    return opening + ', '.join(prefix + _flat(item) for prefix, item in items) + comma + closing


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """Brackets and items, each with what precedes it, of a dict, list or tuple."""
    if isinstance(value, dict):
        if all(isinstance(key, str) and _is_argument(key) for key in value):
            return 'dict(', [(f'{key}=', item) for key, item in value.items()], ')'
        return '{', [(f'{key!r}: ', item) for key, item in value.items()], '}'
    brackets = '()' if isinstance(value, tuple) else '[]'
    return brackets[0], [('', item) for item in value], brackets[1]


def _is_argument(key: str) -> bool:
    return key.isidentifier() and not keyword.iskeyword(key)
