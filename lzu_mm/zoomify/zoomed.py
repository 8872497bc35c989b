"""A config that is being switched to the zoom."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any, Iterator

__all__ = ['Zoomed']

_PIPELINES = ('pipeline', 'switch_pipeline')


class Zoomed:
    """A config that is being switched to the zoom.

    Attributes:
        base: The settings of the base; left as they are.
        config: The settings that zoom.
        zoom: The ``zoom`` of its data preprocessors.
        notes: For each top-level setting that changes, sentences that say why.
    """

    def __init__(self, base: dict[str, Any]) -> None:
        self.base = base
        self.config = copy.deepcopy(base)
        self.zoom: dict[str, Any] = {}
        self.notes: dict[str, list[str]] = defaultdict(list)

    def note(self, setting: str, sentence: str) -> None:
        """Say why a setting changes, once."""
        if sentence not in self.notes[setting]:
            self.notes[setting].append(sentence)

    def pipelines(self, setting: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Dict and key of each pipeline below a top-level setting."""
        return _pipelines(self.config.get(setting))

    def replace_pipeline(self, holder: dict[str, Any], key: str, new: list[Any]) -> str | None:
        """Replace a pipeline, and the top-level variables that hold it; returns the first one."""
        stock = holder[key]
        names = [name for name, value in self.base.items() if value == stock]
        for name in names:
            self.config[name] = new
        holder[key] = new
        return names[0] if names else None


def _pipelines(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where the pipelines are, those of datasets inside a dataset included."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _PIPELINES and isinstance(item, list):
                yield value, key
            else:
                yield from _pipelines(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _pipelines(item)
