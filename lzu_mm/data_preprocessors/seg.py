"""Zoom for MMSegmentation."""

from __future__ import annotations

from typing import Any

from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import Tensor

from ..registry import MODELS
from .labels import Size, scale_metainfo, scale_pixels
from .zoom import ZoomMixin

_MAPS = ('gt_sem_seg', 'gt_edge_map', 'gt_depth_map')


@MODELS.register_module()
class ZoomSegDataPreProcessor(ZoomMixin, SegDataPreProcessor):
    """``SegDataPreProcessor`` that zooms first; see :class:`ZoomMixin` for ``zoom``.

    ``size`` and ``test_cfg.size``, to which stock configs pad the crops of the pipeline, follow a
    zoom that changes the size: batches are padded to their largest zoomed image instead.
    """

    size: Any
    test_cfg: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stock_size = self.size
        self._stock_test_cfg = self.test_cfg

    def set_images(self, data: dict[str, Any], images: list[Tensor]) -> dict[str, Any]:
        """See :meth:`ZoomMixin.set_images`."""
        sources = [image.shape[-2:] for image in self.get_images(data)]
        sizes = [image.shape[-2:] for image in images]
        self.size, self.test_cfg = self._stock_size, self._stock_test_cfg
        if sizes != sources:
            largest = tuple(max(axis) for axis in zip(*sizes))
            if self.size is not None:
                self.size = largest
            if self.test_cfg and self.test_cfg.get('size') is not None:
                self.test_cfg = {**self.test_cfg, 'size': largest}
        return super().set_images(data, images)

    def scale_sample(
        self, sample: SegDataSample, source: Size, size: Size, training: bool
    ) -> SegDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        scale_metainfo(sample, source, size)
        # The padding of the pipeline is gone with its frame; heads resize their logits to it.
        sample.set_metainfo({'pad_shape': size})
        for name in _MAPS if training else ():
            if name in sample:
                sample.set_data({name: scale_pixels(sample.get(name), size)})
        return sample
