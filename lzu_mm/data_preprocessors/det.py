"""Zoom for MMDetection."""

from __future__ import annotations

from mmdet.models import DetDataPreprocessor
from mmdet.structures import DetDataSample

from ..registry import MODELS
from .labels import Size, scale_instances, scale_metainfo, scale_pixels
from .zoom import ZoomMixin


@MODELS.register_module()
class ZoomDetDataPreprocessor(ZoomMixin, DetDataPreprocessor):
    """``DetDataPreprocessor`` that zooms first; see :class:`ZoomMixin` for ``zoom``."""

    def scale_sample(
        self, sample: DetDataSample, source: Size, size: Size, training: bool
    ) -> DetDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        scale_metainfo(sample, source, size)
        # Proposals are input, not labels: they stand in the frame of the image at test as well.
        instances = ['proposals']
        if training:
            instances += ['gt_instances', 'ignored_instances']
            if 'gt_sem_seg' in sample:
                sample.gt_sem_seg = scale_pixels(sample.gt_sem_seg, size)
        for name in instances:
            if name in sample:
                scale_instances(sample.get(name), source, size)
        return sample
