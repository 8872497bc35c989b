"""Record what a zoom data preprocessor does to an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from ..data_preprocessors import ZoomMixin, ZoomSettings
from ..frames import source_frames
from ..registry import MODELS
from ..warps import Warp, saliency_to_warp, zoom_image
from .images import network_image, shown_range, to_numpy
from .labels import Labels, labels_of_sample

__all__ = ['ZoomRecord', 'ZoomRecorder', 'record_image', 'record_zoom']


@dataclass
class ZoomRecord:
    """What a zoom data preprocessor did to one image.

    Attributes:
        source: (H, W, 3) uint8 BGR, as the pipeline left it, without its padding.
        zoomed: (h, w, 3) uint8 BGR, as the network sees it, without padding.
        saliency: (h_S, w_S).
        warp: A batch of one; None for the identity.
        source_labels: Labels before the zoom.
        labels: Labels after it, as losses see them.
    """

    source: np.ndarray
    zoomed: np.ndarray
    saliency: Tensor
    warp: Warp | None
    source_labels: Labels
    labels: Labels

    @property
    def uniform(self) -> np.ndarray:
        """The source plainly downsampled to the size of the zoomed image, (h, w, 3) uint8 BGR."""
        h, w = self.zoomed.shape[:2]
        source = torch.from_numpy(self.source).permute(2, 0, 1)
        return to_numpy(zoom_image(source, None, (h, w)))


class ZoomRecorder:
    """Records what a zoom data preprocessor does to the first image of each batch.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The model is not affected.

    Args:
        preprocessor: The model's data preprocessor.
        with_labels: Record labels as well.

    Attributes:
        record: Record of the last batch; None before the first.
    """

    def __init__(self, preprocessor: ZoomMixin, with_labels: bool = False) -> None:
        self.preprocessor = preprocessor
        self.with_labels = with_labels
        self.record: ZoomRecord | None = None
        self._hook: Any = None

    def start(self) -> None:
        """Start recording."""
        self._hook = self.preprocessor.register_forward_hook(self._note_batch)

    def stop(self) -> None:
        """Stop recording; the last record stays."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def __enter__(self) -> ZoomRecorder:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stop()

    @torch.no_grad()
    def _note_batch(self, module: Any, arguments: tuple[Any, ...], output: dict[str, Any]) -> None:
        data, training = arguments[0], len(arguments) > 1 and arguments[1]
        batch = self.preprocessor.link.batch
        assert batch is not None
        source, samples = self.preprocessor.get_images(data)[0], data.get('data_samples')
        h, w = source_frames([source], samples and samples[:1])[0].content
        canvas = self.preprocessor.get_canvas(output)[0]
        content, shown = _rounded(batch.content[0]), shown_range(source)
        self.record = ZoomRecord(
            source=to_numpy(source[:, :h, :w], shown),
            zoomed=network_image(canvas, content, self.preprocessor, shown),
            saliency=_first_map(batch.saliency),
            warp=batch.content_warp and batch.content_warp.index(slice(0, 1)),
            source_labels=self._labels(data, training),
            labels=self._labels(output, training),
        )

    def _labels(self, data: dict[str, Any], training: bool) -> Labels:
        samples = data.get('data_samples')
        if not self.with_labels or not samples or samples[0] is None:
            return Labels()
        return labels_of_sample(samples[0], training)


def record_zoom(preprocessor: ZoomMixin, item: dict[str, Any], training: bool) -> ZoomRecord:
    """Pass one item of a dataset through a zoom data preprocessor and record what happens.

    Args:
        preprocessor: The model's data preprocessor, built from its config.
        item: Output of the dataset's pipeline: ``inputs`` and ``data_samples``.
        training: Whether the item is one to train on.

    Returns:
        The record.
    """
    with ZoomRecorder(preprocessor, with_labels=True) as recorder, torch.no_grad():
        preprocessor(pseudo_collate([item]), training)
    preprocessor.saliency.reset()  # no model runs, of which detections could be awaited
    assert recorder.record is not None
    return recorder.record


@torch.no_grad()
def record_image(image: np.ndarray, settings: ZoomSettings) -> ZoomRecord:
    """Zoom one image without any model.

    Args:
        image: (H, W, 3) uint8, BGR.
        settings: How to zoom. Its saliency must not need samples, such as earlier detections.

    Returns:
        The record, without labels.
    """
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    saliency = MODELS.build(dict(settings.saliency, _scope_='lzu_mm'))([pixels], None, False)
    warp = saliency_to_warp(saliency, **settings.warp_options())
    size = settings.output_size((image.shape[0], image.shape[1]))
    zoomed = zoom_image(pixels, warp, size, settings.align_corners, settings.antialias)
    return ZoomRecord(image, to_numpy(zoomed), _first_map(saliency), warp, Labels(), Labels())


def _rounded(size: tuple[float, float]) -> tuple[int, int]:
    return round(size[0]), round(size[1])


def _first_map(saliency: Tensor | None) -> Tensor:
    """The map of the first image; uniform if there was no saliency."""
    return torch.ones(2, 2) if saliency is None else saliency[0, 0].detach()
