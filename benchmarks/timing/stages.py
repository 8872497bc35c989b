"""How the time of an inference is spent."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any, Callable

import torch
from torch import nn

import lzu_mm.data_preprocessors.zoom as zoom_module
import lzu_mm.necks.unzoom_neck as unzoom_module
from lzu_mm.data_preprocessors import ZoomMixin
from lzu_mm.necks import UnzoomNeck

# In the order in which they run. The rest counts as the head, postprocessing included.
STAGES = (
    'saliency',
    'warp',
    'zoom',
    'normalise and pad',
    'backbone',
    'inner neck',
    'unzoom',
    'head',
)


class StageTimer:
    """Times the stages of a model while active; nested stages do not count twice.

    Args:
        model: A model with or without zoom.
        synchronise: Waits for the device; called when a stage begins or ends.
    """

    def __init__(self, model: nn.Module, synchronise: Callable[[], None]) -> None:
        self.model = model
        self.synchronise = synchronise
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> StageTimer:
        preprocessor, neck = self.model.data_preprocessor, getattr(self.model, 'neck', None)
        self._time(self.model, 'test_step', 'head')
        self._time(preprocessor, 'forward', 'normalise and pad')
        self._time(self.model.backbone, 'forward', 'backbone')
        if isinstance(preprocessor, ZoomMixin):
            self._time(preprocessor, 'warp', 'warp')
            self._time(preprocessor.saliency, 'forward', 'saliency')
            self._time(zoom_module, 'zoom_image', 'zoom')
        if isinstance(neck, UnzoomNeck):
            # Not the neck's forward: levels may be unzoomed later, when a head reads them.
            self._time(unzoom_module, 'unzoom_feature', 'unzoom')
        if neck is not None:
            self._time(neck, 'forward', 'inner neck')
        return self

    def __exit__(self, *error: Any) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def _time(self, owner: Any, name: str, stage: str) -> None:
        function = getattr(owner, name)
        own = name in vars(owner)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._switch(push=stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()

        def undo() -> None:
            if own:
                setattr(owner, name, function)
            else:
                delattr(owner, name)

        setattr(owner, name, timed)
        self._undo.append(undo)

    def _switch(self, push: str | None = None) -> None:
        self.synchronise()
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        if push is None:
            self._running.pop()
        else:
            self._running.append(push)
        self._since = time.perf_counter()


def synchroniser(device: torch.device) -> Callable[[], None]:
    """A function that waits for a device; for a CPU, it does nothing."""

    def nothing() -> None:
        """A CPU is never behind."""

    return torch.cuda.synchronize if device.type == 'cuda' else nothing
