"""Zoom for monocular MMDetection3D."""

from __future__ import annotations

from typing import Any

from mmdet3d.models import Det3DDataPreprocessor
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from ..registry import MODELS
from .labels import ratios, scale_instances
from .pixels import follow_zoom, scale_rows
from .way_home import Journey
from .zoom import ZoomMixin


@MODELS.register_module()
class ZoomDet3DDataPreprocessor(ZoomMixin, Det3DDataPreprocessor):
    """``Det3DDataPreprocessor`` that zooms first; see :class:`ZoomMixin` for ``zoom``.

    ``cam2img`` follows the image (``trans_mat`` in its place, where ``AffineResize`` has set it),
    ``scale_factor`` and depths stay: 3D boxes come out in the camera's frame as before.
    """

    def __init__(self, *args: Any, zoom: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, zoom=zoom, **kwargs)
        if self.zoom.labels != 'resized':
            raise ValueError(
                "zoom.labels='warped' is not for 3D boxes, whose projection a warp would bend: set "
                "zoom.labels='resized' and unzoom the features"
            )

    def get_images(self, data: dict[str, Any]) -> Any:
        """See :meth:`ZoomMixin.get_images`."""
        images = data['inputs']['img'] if isinstance(data, dict) else None
        if images is None or images[0].dim() != 3:
            raise ValueError(
                'ZoomDet3DDataPreprocessor takes one image per sample (monocular models, '
                "load_type='mv_image_based'), without multi-view inputs or lists of views"
            )
        return images

    def set_images(self, data: dict[str, Any], images: list[Tensor]) -> dict[str, Any]:
        """See :meth:`ZoomMixin.set_images`."""
        return {**data, 'inputs': {**data['inputs'], 'img': images}}

    def get_canvas(self, output: dict[str, Any]) -> Tensor:
        """See :meth:`ZoomMixin.get_canvas`."""
        return output['inputs']['imgs']

    def scale_sample(
        self, sample: Det3DDataSample, journey: Journey, training: bool
    ) -> Det3DDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        metainfo, ratio = sample.metainfo, ratios(journey.source, journey.size)
        update = {**follow_zoom(metainfo, ratio), 'img_shape': journey.size}
        # SMOKE's trans_mat: from the image as it was taken, whose camera cam2img is.
        camera = 'trans_mat' if 'trans_mat' in metainfo else 'cam2img'
        if camera in metainfo:
            update[camera] = scale_rows(metainfo[camera], ratio)
        sample.set_metainfo(update)
        if training:
            for name in ('gt_instances', 'gt_instances_3d', 'ignored_instances'):
                if name in sample:
                    scale_instances(sample.get(name), journey.source, journey.size)
        return sample

    @property
    def predictions_travel(self) -> bool:
        """See :attr:`ZoomMixin.predictions_travel`."""
        return True

    def bring_home(
        self, sample: Det3DDataSample, journey: Journey, rescale: bool, model: Any
    ) -> Det3DDataSample:
        """See :meth:`ZoomMixin.bring_home`.

        Heads read ``cam2img`` of the zoomed frame to predict; readers of the predictions draw them
        on the original image and need the original ``cam2img``. 2D boxes, which heads leave
        in the zoomed frame because ``scale_factor`` knows nothing of it, return with it. The sample
        that the model was given stays in the zoomed frame, to predict from again.
        """
        if 'bboxes' in sample.get('pred_instances', ()):
            found = sample.pred_instances.new()
            scale_instances(found, journey.size, journey.source)
            sample.pred_instances = found
        home = sample.new()
        home.set_metainfo(dict(journey.metainfo))
        return home
