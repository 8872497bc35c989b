"""Levels of features that are unzoomed when they are read."""

from __future__ import annotations

from typing import Any, Callable, Sequence, overload

from torch import Tensor


def level_maps(level: Any) -> list[Tensor]:
    """The maps (N, C, h, w) of a level: itself, or members of it beside class tokens (DPT)."""
    if isinstance(level, Tensor):
        return [level] if level.dim() == 4 else []
    members = level if isinstance(level, (list, tuple)) else ()
    return [found for member in members for found in level_maps(member)]


def map_level(unzoom: Callable[[Tensor], Tensor], level: Any) -> Any:
    """The level with its maps unzoomed; what is none stays."""
    if isinstance(level, Tensor):
        return unzoom(level) if level.dim() == 4 else level
    return [map_level(unzoom, member) for member in level]


class UnzoomedLevels(Sequence[Any]):
    """Unzoomed levels, each made when it is first read: what no head reads costs nothing.

    Args:
        zoomed: Levels in the zoomed frame; see :func:`level_maps`.
        unzoom: Makes a level of the same shapes lie as if the image had been resized uniformly.
    """

    def __init__(self, zoomed: Sequence[Any], unzoom: Callable[[Any], Any]) -> None:
        self._zoomed = tuple(zoomed)
        self._unzoom = unzoom
        self._unzoomed: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._zoomed)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Any, ...]: ...

    def __getitem__(self, index: int | slice) -> Any:
        levels = range(len(self))[index]
        if isinstance(levels, range):
            return tuple(self[level] for level in levels)
        if levels not in self._unzoomed:
            self._unzoomed[levels] = self._unzoom(self._zoomed[levels])
        return self._unzoomed[levels]
