"""Zoom for MMSegmentation."""

from __future__ import annotations

from typing import Any

from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import Tensor

from ..frames import flipped_dims
from ..registry import MODELS
from .labels import Size, scale_metainfo
from .warped import ContentWarp, WarpedSample, follow_pixels, unzoom_logits
from .zoom import ZoomMixin

_MAPS = ('gt_sem_seg', 'gt_edge_map', 'gt_depth_map')


class WarpedSegDataSample(WarpedSample, SegDataSample):
    """A sample in the zoomed frame, whose predictions come back through its warp.

    Segmentors leave logits at the size of the original image, as if it had been resized uniformly,
    and what they predict from them.
    """

    def set_field(self, value: Any, name: str, *args: Any, **kwargs: Any) -> None:
        """See ``BaseDataElement.set_field``."""
        if self.warp is not None and name == '_seg_logits':
            flipped = flipped_dims(self.metainfo)
            value = PixelData(data=unzoom_logits(value.data, self.warp, flipped))
        elif self.warp is not None and name == '_pred_sem_seg':
            if self.seg_logits.data.shape[0] == 1:
                raise ValueError(
                    "zoom.labels='warped' takes segmentors with a logit for each class: set "
                    'model.decode_head.out_channels to the number of classes'
                )
            value = PixelData(data=self.seg_logits.data.argmax(dim=0, keepdim=True))
            self.came_back()
        super().set_field(value, name, *args, **kwargs)


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
        self,
        sample: SegDataSample,
        source: Size,
        size: Size,
        training: bool,
        warp: ContentWarp | None,
    ) -> SegDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        scale_metainfo(sample, source, size)
        # The padding of the pipeline is gone with its frame; heads resize their logits to it.
        sample.set_metainfo({'pad_shape': size})
        if training and warp is not None and 'gt_sem_seg' in sample:
            # Losses of the saliency look at the image as it was.
            sample.set_data({'source_sem_seg': sample.gt_sem_seg})
        for name in _MAPS if training else ():
            if name in sample:
                sample.set_data({name: follow_pixels(sample.get(name), size, warp)})
        return sample if warp is None or training else WarpedSegDataSample.of(sample, warp)
