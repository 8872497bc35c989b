"""Zoom for monocular MMDetection3D."""

from __future__ import annotations

from typing import Any

from mmdet3d.models import Det3DDataPreprocessor
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from ..registry import MODELS
from .labels import Size, ratios, scale_instances
from .pixels import follow_zoom, scale_rows
from .warped import ContentWarp
from .zoom import ZoomMixin


class ZoomedDet3DDataSample(Det3DDataSample):
    """A sample in the frame of the zoomed image until its predictions arrive.

    Heads read ``cam2img`` of the zoomed frame to predict; whoever reads the predictions draws them
    on the original image and needs the original ``cam2img``. 2D boxes, which heads leave in the
    zoomed frame because ``scale_factor`` knows nothing of it, return with it.
    """

    def set_field(self, value: Any, name: str, *args: Any, **kwargs: Any) -> None:
        """See ``BaseDataElement.set_field``."""
        if name == '_pred_instances' and 'bboxes' in value:
            scale_instances(value, self.metainfo['zoomed_shape'], self.metainfo['source_shape'])
        super().set_field(value, name, *args, **kwargs)
        if name == '_pred_instances_3d' and 'source_cam2img' in self.metainfo:
            self.set_metainfo({'cam2img': self.metainfo['source_cam2img']})


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
        self,
        sample: Det3DDataSample,
        source: Size,
        size: Size,
        training: bool,
        warp: ContentWarp | None,
    ) -> Det3DDataSample:
        """See :meth:`ZoomMixin.scale_sample`."""
        metainfo = sample.metainfo
        ratio = ratios(source, size)
        update = follow_zoom(metainfo, ratio)
        update.update({'img_shape': size, 'source_shape': source, 'zoomed_shape': size})
        if 'trans_mat' in metainfo:
            # SMOKE: from the image as it was taken, whose camera cam2img is, to the feature map.
            update['trans_mat'] = scale_rows(metainfo['trans_mat'], ratio)
        elif 'cam2img' in metainfo:
            update['cam2img'] = scale_rows(metainfo['cam2img'], ratio)
            update['source_cam2img'] = metainfo['cam2img']
        zoomed = ZoomedDet3DDataSample(metainfo={**metainfo, **update})
        zoomed.set_data(dict(sample.items()))
        if training:
            for name in ('gt_instances', 'gt_instances_3d', 'ignored_instances'):
                if name in zoomed:
                    scale_instances(zoomed.get(name), source, size)
        return zoomed
