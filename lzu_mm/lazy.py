"""Names that are imported when they are first asked for (PEP 562).

Importing a package then imports nothing else, and a library that is missing or does not import is
felt only by those who ask for a class that stands on it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Callable, Mapping, Sequence

__all__ = ['lazy_exports']


def lazy_exports(
    package: str, exports: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package whose exports are lazy.

    Args:
        package: ``__name__`` of the package.
        exports: For each module of the package the names that it exports. The modules themselves
            are exported as well.

    Returns:
        Both functions. ``__getattr__`` raises an ImportError that carries the cause, whatever it
        is, where a module does not import.
    """
    modules = {name: module for module, names in exports.items() for name in [module, *names]}

    def module_getattr(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        try:
            module = import_module(f'{package}.{modules[name]}')
        except Exception as error:  # the MM libraries assert each other's versions
            raise ImportError(
                f'{package}.{name} cannot be imported, because of {type(error).__name__}: {error}'
            ) from error
        return module if name == modules[name] else getattr(module, name)

    def module_dir() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return module_getattr, module_dir
