"""Pictures of where a model looks during training and testing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..checks import check_flag, check_number, check_whole
from ..data_preprocessors import ZoomMixin
from ..registry import HOOKS
from ..visualization import ZoomRecord, ZoomRecorder, compose_panels, draw_saliency, draw_warp
from ..visualization.images import resize_image


@HOOKS.register_module()
class ZoomVisualizationHook(Hook):
    """Sends saliency, warp and zoomed image to the runner's visualizer every few iterations.

    The visualizer passes them on to its backends, such as local files and TensorBoard. The first
    image of a batch is drawn. In training the pictures are named ``train_saliency``, ``train_warp``
    and ``train_zoomed``; for validation and test ``val_0_saliency`` and so on, where 0 is the
    number of the batch, so that a backend shows how an image changes between validations.

    Use it in a config as ``custom_hooks = [dict(type='lzu_mm.ZoomVisualizationHook')]``.

    Args:
        draw: Whether to draw at all.
        interval: Draw every ``interval`` iterations, starting with the first; at least 1.
        show: Show the three pictures in a window, instead of sending them to the backends.
        wait_time: Seconds for which the window is shown; 0 waits for a key.
        width: Width of the pictures of the source image in pixels.

    Raises:
        ValueError: If a setting is out of range, or the model does not zoom.
    """

    def __init__(
        self,
        draw: bool = True,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        width: int = 640,
    ) -> None:
        name = 'ZoomVisualizationHook'
        self.draw = check_flag(f'{name}.draw', draw)
        self.interval = check_whole(f'{name}.interval', interval, '[1, inf)')
        self.show = check_flag(f'{name}.show', show)
        self.wait_time = check_number(f'{name}.wait_time', wait_time, '[0, inf)', ' seconds')
        self.width = check_whole(f'{name}.width', width, '[16, 65536]')
        self._recorder: ZoomRecorder | None = None

    def before_run(self, runner: Runner) -> None:
        """Refuse a model that does not zoom."""
        _preprocessor_of(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start recording if this iteration is to be drawn."""
        self._start(runner, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw what was recorded."""
        self._finish(runner, 'train', runner.iter)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start recording if this iteration is to be drawn."""
        self._start(runner, batch_idx)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw what was recorded."""
        self._finish(runner, f'val_{batch_idx}', runner.iter)

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start recording if this iteration is to be drawn."""
        self._start(runner, batch_idx)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw what was recorded."""
        self._finish(runner, f'test_{batch_idx}', runner.iter)

    def _start(self, runner: Runner, iteration: int) -> None:
        if self.draw and iteration % self.interval == 0 and is_main_process():
            self._recorder = ZoomRecorder(_preprocessor_of(runner))
            self._recorder.start()

    def _finish(self, runner: Runner, prefix: str, step: int) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.stop()
        if recorder.record is None:
            return
        pictures = _draw(recorder.record, self.width)
        if self.show:
            sheet = compose_panels(list(pictures.items()), width=self.width)
            runner.visualizer.show(sheet[..., ::-1], win_name=prefix, wait_time=self.wait_time)
            return
        for name, picture in pictures.items():
            rgb = np.ascontiguousarray(picture[..., ::-1])
            runner.visualizer.add_image(f'{prefix}_{name}', rgb, step)


@torch.no_grad()
def _draw(record: ZoomRecord, width: int) -> dict[str, np.ndarray]:
    """The pictures by name, (h, w, 3) BGR."""
    h, w = record.source.shape[:2]
    source = resize_image(record.source, (h * width // w, width))
    return {
        'saliency': draw_saliency(source, record.saliency),
        'warp': draw_warp(source, record.warp),
        'zoomed': record.zoomed,
    }


def _preprocessor_of(runner: Runner) -> ZoomMixin:
    model = runner.model
    while hasattr(model, 'module'):  # distributed training, test time augmentation
        model = model.module
    preprocessor = model.data_preprocessor
    if not isinstance(preprocessor, ZoomMixin):
        raise ValueError(
            'ZoomVisualizationHook shows what a zoom data preprocessor does, but '
            f'model.data_preprocessor is a {type(preprocessor).__name__}: set its type to '
            "'lzu_mm.ZoomDetDataPreprocessor' (lzu_mm.ZoomSegDataPreProcessor, "
            'lzu_mm.ZoomDet3DDataPreprocessor), or remove the hook from custom_hooks.'
        )
    return preprocessor
