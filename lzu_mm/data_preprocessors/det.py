"""Zoom for MMDetection."""

from __future__ import annotations

from typing import Any

from mmdet.models import DetDataPreprocessor
from mmdet.structures import DetDataSample

from ..registry import MODELS
from .labels import Size, scale_instances, scale_metainfo
from .warped import ContentWarp, WarpedSample, boxes_came_back, follow_pixels, warp_instances
from .zoom import ZoomMixin

# The arguments by which stock batch augmentations are told sizes in pixels.
_AUGMENT_SIZES = ('size', 'scale', 'random_size_range')


class WarpedDetDataSample(WarpedSample, DetDataSample):
    """A sample in the zoomed frame, whose predictions come back through its warp.

    Heads leave boxes in pixels of the original image, as if it had been resized uniformly.
    """

    def set_field(self, value: Any, name: str, *args: Any, **kwargs: Any) -> None:
        """See ``BaseDataElement.set_field``."""
        if name == '_pred_instances' and self.warp is not None:
            value.bboxes = boxes_came_back(value.bboxes, self)
            self.came_back()
        super().set_field(value, name, *args, **kwargs)


@MODELS.register_module()
class ZoomDetDataPreprocessor(ZoomMixin, DetDataPreprocessor):
    """``DetDataPreprocessor`` that zooms first; see :class:`ZoomMixin` for ``zoom``.

    ``batch_augments`` that resize or pad to a size in pixels follow ``zoom.scale``, for they see
    the zoomed batch.
    """

    def __init__(
        self,
        *args: Any,
        zoom: dict[str, Any] | None = None,
        batch_augments: list[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        if batch_augments is not None:
            batch_augments = [_follow_zoom(augment, zoom or {}) for augment in batch_augments]
        super().__init__(*args, zoom=zoom, batch_augments=batch_augments, **kwargs)

    def scale_sample(
        self,
        sample: DetDataSample,
        source: Size,
        size: Size,
        training: bool,
        warp: ContentWarp | None,
    ) -> DetDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        scale_metainfo(sample, source, size)
        if warp is not None and not training:
            sample = WarpedDetDataSample.of(sample, warp)
        # Proposals are input, not labels: they stand in the frame of the image at test as well.
        instances = ['proposals']
        if training:
            instances += ['gt_instances', 'ignored_instances']
            if 'gt_sem_seg' in sample:
                sample.gt_sem_seg = follow_pixels(sample.gt_sem_seg, size, warp)
        for name in instances:
            if name in sample:
                scale_instances(sample.get(name), source, size)
                if warp is not None:
                    warp_instances(sample.get(name), warp)
        return sample


def _follow_zoom(augment: dict[str, Any], zoom: dict[str, Any]) -> dict[str, Any]:
    sizes = {name: augment[name] for name in _AUGMENT_SIZES if name in augment}
    if not sizes:
        return augment
    scale = zoom.get('scale')
    if scale is None or zoom.get('size') == 'auto':
        raise ValueError(
            f'{augment["type"]} in data_preprocessor.batch_augments resizes to {sizes}, which '
            'undoes zoom.size. Set zoom.scale instead, which the augmentation follows, or remove it'
            ' (batch_augments=None).'
        )
    return {
        **augment,
        **{name: tuple(round(n * scale) for n in size) for name, size in sizes.items()},
    }
