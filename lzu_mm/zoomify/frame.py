"""Let the heads of a detector follow a finer frame.

What heads measure in cells, such as the octave scale of anchors or the radius of assigners, shrinks
with the strides. What they measure in pixels is rewritten.
"""

from __future__ import annotations

import math
from typing import Any, Mapping, Sequence

from ..necks.frame import GENERATORS, HEADS, head_settings, head_strides

__all__ = ['follow_frame', 'takes_frames']


def takes_frames(model: Mapping[str, Any]) -> bool:
    """Whether a model's heads can read a finer frame: region heads choose levels by size."""
    return not model.get('roi_head')


def follow_frame(model: dict[str, Any], frame: tuple[float, float], scope: str) -> list[str]:
    """Write the strides of a finer frame into the heads of a model.

    Args:
        model: Its config, changed in place.
        frame: Cells for each cell of a level (along y, along x).
        scope: Registry scope of the model.

    Returns:
        Names of the heads that changed.

    Raises:
        ValueError: If a head cannot follow.
    """
    if not takes_frames(model):
        raise ValueError(
            f'{model.get("type")} takes regions from levels that it chooses by the size of an '
            'object: a finer frame is for dense heads'
        )
    changed = []
    for name in HEADS:
        head = model.get(name)
        if not isinstance(head, dict):
            continue
        strides = head_strides(head, scope)
        if strides is not None:
            model[name] = _follow(head, strides, frame, scope)
            changed.append(name)
    return changed


def _follow(
    head: dict[str, Any],
    strides: Sequence[Sequence[float]],
    frame: tuple[float, float],
    scope: str,
) -> dict[str, Any]:
    settings = head_settings(head, scope)
    fine = [_plain(x / frame[1], y / frame[0]) for x, y in strides]
    followed = dict(head)
    generator = next((name for name in GENERATORS if settings.get(name)), None)
    if generator is not None:
        followed[generator] = {**settings[generator], 'strides': fine}
        _shrink(followed[generator], 'base_sizes', frame)
    elif frame[0] != frame[1] and 'regress_ranges' in settings:
        raise ValueError(
            f'{head.get("type")} measures boxes in one stride for both axes: give one factor, as '
            'in --frame 2'
        )
    if 'strides' in settings:
        followed['strides'] = fine
    if settings.get('regress_ranges'):
        followed['regress_ranges'] = settings['regress_ranges']
        _shrink(followed, 'regress_ranges', frame)
    return followed


def _plain(x: float, y: float) -> Any:
    x, y = (int(n) if n == int(n) else round(n, 6) for n in (x, y))
    return x if x == y else (x, y)


def _shrink(holder: dict[str, Any], name: str, frame: tuple[float, float]) -> None:
    """Divide numbers in pixels, nested or not; -1 and 1e8 stand for no bound."""
    factor = math.sqrt(frame[0] * frame[1])

    def shrink(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(shrink, value))
        return value / factor if 0 < value < 1e8 else value

    if holder.get(name):
        holder[name] = shrink(holder[name])
