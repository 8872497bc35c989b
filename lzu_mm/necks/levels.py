"""Levels of features that are unzoomed when they are read."""

from __future__ import annotations

from typing import Callable, Sequence, overload

from torch import Tensor


class UnzoomedLevels(Sequence[Tensor]):
    """Unzoomed levels, each made when it is first read: what no head reads costs nothing.

    Args:
        zoomed: Levels in the zoomed frame, each (N, C, h, w).
        unzoom: Makes a level of the same shape lie as if the image had been resized uniformly.
    """

    def __init__(self, zoomed: Sequence[Tensor], unzoom: Callable[[Tensor], Tensor]) -> None:
        self._zoomed = tuple(zoomed)
        self._unzoom = unzoom
        self._unzoomed: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._zoomed)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Tensor, ...]: ...

    def __getitem__(self, index: int | slice) -> Tensor | tuple[Tensor, ...]:
        levels = range(len(self))[index]
        if isinstance(levels, range):
            return tuple(self[level] for level in levels)
        if levels not in self._unzoomed:
            self._unzoomed[levels] = self._unzoom(self._zoomed[levels])
        return self._unzoomed[levels]
