"""Zoom for MMDetection."""

from __future__ import annotations

from typing import Any

from mmdet.models import DetDataPreprocessor
from mmdet.structures import DetDataSample

from ..checks import check_number
from ..frames import scale_factor
from ..pipelines import type_name
from ..registry import MODELS
from .labels import scale_instances, scale_metainfo
from .settings import SCALES
from .warped import follow_pixels, unwarp_instances, unwarp_pixels, warp_instances
from .way_home import Journey
from .zoom import ZoomMixin

# The arguments by which stock batch augmentations are told sizes in pixels.
_AUGMENT_SIZES = ('size', 'scale', 'random_size_range')


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
        if batch_augments is not None and isinstance(zoom, dict):
            divisor = kwargs.get('pad_size_divisor', 1)
            batch_augments = [_follow_zoom(each, zoom, divisor) for each in batch_augments]
        super().__init__(*args, zoom=zoom, batch_augments=batch_augments, **kwargs)

    def scale_sample(
        self, sample: DetDataSample, journey: Journey, training: bool
    ) -> DetDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        source, size, warp = journey.source, journey.size, journey.warp
        if warp is not None and 'border' in sample.metainfo:
            raise ValueError(
                "zoom.labels='warped' does not know where RandomCenterCropPad has put the image: "
                'take it out of the pipeline (test_pipeline)'
            )
        scale_metainfo(sample, source, size)
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

    def bring_home(
        self, sample: DetDataSample, journey: Journey, rescale: bool, model: Any
    ) -> DetDataSample:
        """See :meth:`ZoomMixin.bring_home`."""
        warp = journey.warp
        if warp is None:
            return sample
        factor = scale_factor(sample.metainfo) if rescale else (1.0, 1.0)
        # Instead of the source: what pads the content is no part of the original.
        whole = warp.content if rescale else warp.source
        if 'pred_instances' in sample:
            sample.pred_instances = unwarp_instances(sample.pred_instances, warp, factor, whole)
        for name in ('pred_panoptic_seg', 'pred_sem_seg'):
            if name in sample:
                sample.set_data({name: unwarp_pixels(sample.get(name), warp, whole)})
        return sample


def _follow_zoom(augment: dict[str, Any], zoom: dict[str, Any], divisor: int) -> dict[str, Any]:
    sizes = {name: augment[name] for name in _AUGMENT_SIZES if name in augment}
    if not sizes:
        return augment
    scale = zoom.get('scale')
    if scale is None or zoom.get('size') == 'auto':
        raise ValueError(
            f'{type_name(augment)} in data_preprocessor.batch_augments resizes to {sizes}, which '
            'undoes zoom.size. Set zoom.scale instead, which the augmentation follows, or remove it'
            ' (batch_augments=None).'
        )
    check_number('zoom.scale', scale, SCALES)
    followed = {name: tuple(round(n * scale) for n in size) for name, size in sizes.items()}
    if type_name(augment).endswith('FixedSizePad'):
        # The batch, padded to the divisor before, must not be larger.
        followed['size'] = tuple(-(-n // divisor) * divisor for n in followed['size'])
    return {**augment, **followed}
