"""Typed checks of settings: what is wrong is said when a model is built, by name, value and range.

Free of any other library, so that every part of the package may use it. Words for booleans, numbers
in quotes and NaN are refused: a config that says ``train_only='no'`` must not train only.
"""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import Any, Mapping, Sequence

__all__ = [
    'check_choice',
    'check_config',
    'check_flag',
    'check_grid_shape',
    'check_number',
    'check_pair',
    'check_size',
    'check_whole',
]


def check_number(name: str, value: Any, interval: str, remark: str = '') -> float:
    """Check a real number.

    Args:
        name: Of the setting, as a config spells it.
        value: What was set.
        interval: Where it must lie, such as ``'(0, 1]'`` or ``'[0, inf)'``.
        remark: What the message adds, such as the unit.

    Returns:
        The value.

    Raises:
        ValueError: If it is no finite number in the interval.

    Example:
        >>> check_number('zoom.train_prob', 0.5, '[0, 1]')
        0.5
    """
    if not _is_number(value, Real) or not _within(value, interval):
        raise ValueError(f'{name} must be a number in {interval}{remark}, got {value!r}')
    return value


def check_whole(name: str, value: Any, interval: str) -> int:
    """Check a whole number; arguments as for :func:`check_number`.

    Raises:
        ValueError: If it is no whole number in the interval.
    """
    if not _is_number(value, Integral) or not _within(value, interval):
        raise ValueError(f'{name} must be a whole number in {interval}, got {value!r}')
    return int(value)


def check_flag(name: str, value: Any) -> bool:
    """Check a boolean.

    Raises:
        ValueError: If it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise ValueError(f'{name} must be True or False, got {value!r}')
    return value


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Check one word of several.

    Raises:
        ValueError: If it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f'{name} must be one of {tuple(choices)}, got {value!r}')
    return value


def check_size(name: str, value: Any, interval: str, meaning: str = '(h, w)') -> tuple[int, int]:
    """Check a pair of whole numbers.

    Args:
        name: Of the setting.
        value: What was set.
        interval: Where both must lie.
        meaning: What the pair stands for, for the message.

    Returns:
        The pair.

    Raises:
        ValueError: If it is no such pair.
    """
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    if not pair or not all(_is_number(n, Integral) and _within(n, interval) for n in value):
        raise ValueError(
            f'{name} must be {meaning}, two whole numbers in {interval}, got {value!r}'
        )
    return int(value[0]), int(value[1])


def check_pair(name: str, value: Any, interval: str) -> tuple[float, float]:
    """Check a number for both axes, or one each.

    Args:
        name: Of the setting.
        value: What was set.
        interval: Where both must lie.

    Returns:
        Along y and along x.

    Raises:
        ValueError: If it is neither.
    """
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f'{name} takes one number, or one each along y and along x; got {value!r}')
    y, x = (check_number(name, number, interval) for number in pair)
    return y, x


def check_grid_shape(value: Any, name: str = 'saliency.grid_shape') -> tuple[int, int]:
    """Check the shape (h_S, w_S) of a saliency map.

    Raises:
        ValueError: If it is no such shape, or asks for more cells than a warp can use.
    """
    return check_size(name, value, '[2, 512]', '(h_S, w_S)')


def check_config(name: str, value: Any) -> Mapping[str, Any]:
    """Check the config of a module.

    Raises:
        ValueError: If it is no ``dict(type=...)``.
    """
    if not isinstance(value, Mapping) or not value.get('type'):
        raise ValueError(f'{name} must be a config, dict(type=...), got {value!r}')
    return value


def _is_number(value: Any, kind: type) -> bool:
    # To Python True is a number, to whoever writes a config it is not.
    return isinstance(value, kind) and not isinstance(value, bool)


def _within(value: Any, interval: str) -> bool:
    low, high = (float(bound) for bound in interval[1:-1].split(','))
    above = value >= low if interval[0] == '[' else value > low
    below = value <= high if interval[-1] == ']' else value < high
    return isfinite(value) and above and below
