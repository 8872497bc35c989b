"""Zoom for MMSegmentation."""

from __future__ import annotations

from typing import Any

from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..frames import flipped_dims
from ..registry import MODELS
from .labels import scale_metainfo
from .warped import follow_pixels, unzoom_logits
from .way_home import Journey
from .zoom import ZoomMixin

_MAPS = ('gt_sem_seg', 'gt_edge_map', 'gt_depth_map')


@MODELS.register_module()
class ZoomSegDataPreProcessor(ZoomMixin, SegDataPreProcessor):
    """``SegDataPreProcessor`` that zooms first; see :class:`ZoomMixin` for ``zoom``.

    ``size`` and ``test_cfg.size``, to which stock configs pad the crops of the pipeline, follow a
    zoom that changes the size: batches are padded to their largest zoomed image instead.
    """

    maps_fit = True
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
        self, sample: SegDataSample, journey: Journey, training: bool
    ) -> SegDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        size, warp = journey.size, journey.warp
        scale_metainfo(sample, journey.source, size)
        # The padding of the pipeline is gone with its frame; heads resize their logits to it.
        sample.set_metainfo({'pad_shape': size})
        if training and warp is not None and 'gt_sem_seg' in sample:
            # Losses on the saliency compare with the image before the zoom.
            sample.set_data({'source_sem_seg': sample.gt_sem_seg})
        for name in _MAPS if training else ():
            if name in sample:
                sample.set_data({name: follow_pixels(sample.get(name), size, warp)})
        return sample

    def bring_home(
        self, sample: SegDataSample, journey: Journey, rescale: bool, model: Any
    ) -> SegDataSample:
        """See :meth:`ZoomMixin.bring_home`."""
        warp, flipped = journey.warp, flipped_dims(sample.metainfo)
        if warp is None:
            return sample
        if 'pred_depth_map' in sample:
            depths = unzoom_logits(sample.pred_depth_map.data, warp, flipped)
            sample.set_data({'pred_depth_map': PixelData(data=depths)})
        if 'seg_logits' in sample:
            logits = unzoom_logits(sample.seg_logits.data, warp, flipped)
            found = _classes(logits, model).to(sample.pred_sem_seg.data.dtype)
            sample.set_data(
                {'seg_logits': PixelData(data=logits), 'pred_sem_seg': PixelData(data=found)}
            )
        return sample


def _classes(logits: Tensor, model: Any) -> Tensor:
    """What stock segmentors take from logits (C, h, w); probabilities, if there is one class."""
    if logits.shape[0] > 1:
        return logits.argmax(dim=0, keepdim=True)
    heads = model.decode_head
    head: Any = heads[-1] if isinstance(heads, nn.ModuleList) else heads
    return logits > head.threshold
