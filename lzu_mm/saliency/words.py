"""Saliency in a word of the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

__all__ = ['SALIENCY', 'saliency_config']

SALIENCY = 'fixed:PATH|temporal|learned|uniform|horizon:ROW'
_PLAIN = {
    'temporal': 'lzu_mm.TemporalSaliency',
    'learned': 'lzu_mm.LearnedSaliency',
    'uniform': 'lzu_mm.UniformSaliency',
}


def saliency_config(text: str) -> dict[str, Any]:
    """The saliency that a word means.

    Args:
        text: One of the words of :data:`SALIENCY`.

    Returns:
        Config of a saliency module.

    Raises:
        ArgumentTypeError: If it is none of them.

    Example:
        >>> saliency_config('horizon:0.45')
        {'type': 'lzu_mm.HorizonSaliency', 'row': 0.45}
    """
    word, _, value = text.partition(':')
    if word in _PLAIN and not value:
        return dict(type=_PLAIN[word])
    if word == 'fixed':
        if not value.endswith(('.npz', '.npy')):
            raise ArgumentTypeError(
                f'fixed:PATH needs the path of a saliency file (.npz, which '
                f'lzu-mm compute-saliency makes, or .npy); got {text!r}'
            )
        return dict(type='lzu_mm.FixedSaliency', path=value)
    if word == 'horizon':
        try:
            return dict(type='lzu_mm.HorizonSaliency', row=float(value))
        except ValueError:
            raise ArgumentTypeError(
                f"horizon:ROW needs the horizon's row as a share of the height; got {text!r}"
            ) from None
    raise ArgumentTypeError(f'{text!r} is none of {SALIENCY}')
