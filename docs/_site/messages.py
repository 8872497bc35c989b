"""Every message with which the package refuses something, read from its source."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path
from typing import Iterator

PACKAGE = Path(__file__).resolve().parents[2] / 'lzu_mm'
# Raised for Python or for another part of the package, and never seen by a user.
_INTERNAL = ('AttributeError', 'StopIteration', 'NotImplementedError')
_FIELD = re.compile(r'\{\w*\}')  # of a text for str.format
_WORD = re.compile(r'[A-Za-z]+')
_FEWEST = 3  # words of its own; with fewer, it is what other errors say


def messages() -> dict[str, list[tuple[str, str]]]:
    """For each room of the package, the errors and their texts; … stands for a value."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob('*.py'))}
    named = {name: text for tree in trees.values() for name, text in _named(tree)}
    found: dict[str, list[tuple[str, str]]] = {}
    for path, tree in trees.items():
        room = path.relative_to(PACKAGE).parts[0].partition('.')[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                error = ast.unparse(node.exc.func)
                text = _FIELD.sub('…', _text(node.exc.args[0], named))
                known = found.setdefault(room, [])
                own = len(_WORD.findall(text)) >= _FEWEST
                if error not in _INTERNAL and own and (error, text) not in known:
                    known.append((error, text))
    return {room: refusals for room, refusals in found.items() if refusals}


def as_markdown() -> str:
    """The list, a heading for each room."""
    lines = []
    for room, refusals in messages().items():
        lines += [f'\n## lzu_mm.{room}\n']
        lines += [f'- `{error}`: {_escaped(text)}' for error, text in refusals]
    return '\n'.join(lines)


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Texts that a name stands for: those assigned to it, or returned by the function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Return):
            yield node.name, node.body[-1].value or ast.Constant('')


def _text(value: ast.expr, named: dict[str, ast.expr]) -> str:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    if isinstance(value, ast.JoinedStr):
        return ''.join(_text(part, named) for part in value.values)
    if isinstance(value, ast.BinOp):
        return _text(value.left, named) + _text(value.right, named)
    if isinstance(value, ast.Call):  # of str.format, or of a function that words the message
        called = value.func
        return _text(called.value if isinstance(called, ast.Attribute) else called, named)
    if isinstance(value, ast.Name) and value.id in named:
        return _text(named[value.id], {k: v for k, v in named.items() if k != value.id})
    return '…'


def _escaped(text: str) -> str:
    text = html.escape(' '.join(text.split()), quote=False)
    return ''.join('\\' + each if each in '*_`[]{}|#' else each for each in text)
