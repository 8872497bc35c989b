"""The console script ``lzu-mm``: the files of ``tools/``, wherever the package is installed."""

from __future__ import annotations

import ast
import difflib
import os
import runpy
import sys
from pathlib import Path
from typing import NoReturn

from .quiet import ends_quietly
from .shipped import shipped_folder

# These make the environment of a checkout.
_OF_A_CHECKOUT = ('quickstart.sh', 'run_tests.sh')


def commands() -> dict[str, Path]:
    """The commands and their files.

    Returns:
        By name: ``train`` for ``tools/train.py``, ``dist-train`` for ``tools/dist_train.sh``,
        ``convert-gtsdb`` for ``tools/dataset_converters/gtsdb.py``.
    """
    folder = shipped_folder('tools')
    found = {_name(path): path for path in (*folder.glob('*.py'), *folder.glob('*.sh'))}
    converters = (folder / 'dataset_converters').glob('*.py')
    found.update({f'convert-{_name(path)}': path for path in converters})
    return {
        name: path
        for name, path in sorted(found.items())
        if not path.name.startswith('_') and path.name not in _OF_A_CHECKOUT
    }


def main() -> None:
    """Run the tool that the first argument names."""
    with ends_quietly():
        _run()


def _run() -> None:
    known, arguments = commands(), sys.argv[1:]
    if not arguments or arguments[0] in ('-h', '--help'):
        print('usage: lzu-mm COMMAND [arguments; -h shows them]\n')
        for name, path in known.items():
            print(f'  {name:{max(map(len, known))}}  {_purpose(path)}')
        print('\nAny command takes --traceback, to show where an error came from.')
        return
    name, *rest = arguments
    if name == '--version':
        from .version import __version__

        print(f'lzu_mm {__version__}')
    elif name not in known:
        near = difflib.get_close_matches(name, known, 1)
        print(
            f'error: no command {name!r}{f"; did you mean {near[0]!r}?" if near else ""}'
            ' (lzu-mm -h lists them)',
            file=sys.stderr,
        )
        raise SystemExit(2)
    elif known[name].suffix == '.sh':
        _run_shell(known[name], rest)
    else:
        sys.argv = [str(known[name]), *rest]
        runpy.run_path(sys.argv[0], run_name='__main__')


def _run_shell(path: Path, arguments: list[str]) -> NoReturn:
    os.environ.setdefault('PYTHON', sys.executable)
    os.execvp('bash', ['bash', str(path), *arguments])


def _name(path: Path) -> str:
    return path.stem.replace('_', '-')


def _purpose(path: Path) -> str:
    """The first line of a tool's description."""
    text = path.read_text()
    if path.suffix == '.py':
        return (ast.get_docstring(ast.parse(text)) or '').partition('\n')[0]
    return next(line[2:] for line in text.splitlines()[1:] if line.startswith('# '))


if __name__ == '__main__':
    main()
