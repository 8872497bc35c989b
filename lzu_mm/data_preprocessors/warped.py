"""Labels that follow the image through the warp, and predictions that come back through it.

What LZ (Recasens et al., ECCV 2018), FOVEA (Thavamani et al., ICCV 2021) and LDS (Jin et al.,
ICLR 2022) do instead of unzooming features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from ..frames import scale_factor
from ..warps import Warp
from ..warps.base import pixel_positions
from ..warps.zoom import zoom_grid, zoomed_content
from .labels import Size, scale_pixels

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class ContentWarp:
    """The warp of one image, and where it applies.

    Attributes:
        warp: A batch of one.
        content: (h, w) of the part of the source that it maps, in pixels.
        source: (h, w) of the source image.
        size: (h, w) of the zoomed image.
    """

    warp: Warp
    content: Size
    source: Size
    size: Size

    @property
    def zoomed_content(self) -> tuple[float, float]:
        """(h, w) of the content on the zoomed image, in pixels."""
        return zoomed_content(self.content, self.source, self.size)


class WarpedSample(BaseDataElement):
    """A sample in the zoomed frame, until its predictions have come back through its warp.

    The warp stands beside the fields of the sample: metainfo would be copied and saved.
    """

    _warp: ContentWarp | None

    @classmethod
    def of(cls, sample: BaseDataElement, warp: ContentWarp) -> Self:
        """The same sample, with its warp."""
        warped = cls(metainfo=sample.metainfo)
        warped.set_data(dict(sample.items()))
        return warped._keep(warp)

    @property
    def warp(self) -> ContentWarp | None:
        """The warp; None once the predictions are there."""
        return vars(self).get('_warp')

    def came_back(self) -> None:
        """Forget the warp, so that predictions that are set again do not come back twice."""
        self._keep(None)

    def new(self, *args: Any, **kwargs: Any) -> Self:
        """See ``BaseDataElement.new``; moves to another device pass through it."""
        return super().new(*args, **kwargs)._keep(self.warp)

    def _keep(self, warp: ContentWarp | None) -> Self:
        object.__setattr__(self, '_warp', warp)
        return self


def boxes_came_back(boxes: Any, sample: WarpedSample) -> Any:
    """Boxes that a head has divided by ``scale_factor``, where the original has them.

    Args:
        boxes: As for :func:`warp_boxes`.
        sample: The sample that the head predicted for, with its warp.
    """
    assert sample.warp is not None
    (h, w), (x, y) = sample.warp.zoomed_content, scale_factor(sample.metainfo)
    return warp_boxes(boxes, sample.warp.warp, (h / y, w / x), inverse=False)


def warp_boxes(boxes: Any, warp: Warp, size: tuple[float, float], inverse: bool) -> Any:
    """Map boxes by their upper left and lower right corners, so that both ways undo each other.

    Args:
        boxes: (K, 4) as (x1, y1, x2, y2) in pixels, a tensor or an mmdet box type.
        warp: A batch of one.
        size: (h, w) of the content in the pixels that the boxes are in.
        inverse: Map from the source to the zoomed image instead of back.

    Returns:
        Boxes of the same type, in the same pixels.
    """
    values = boxes if isinstance(boxes, Tensor) else boxes.tensor
    scale = values.new_tensor([size[1], size[0]])
    corners = values.detach().reshape(1, -1, 2) / scale
    mapped = warp.to_zoomed(corners) if inverse else warp.to_source(corners)
    mapped = (mapped[0].detach() * scale).reshape(-1, 4).to(values.dtype)
    return mapped if isinstance(boxes, Tensor) else type(boxes)(mapped)


def warp_instances(instances: BaseDataElement, warp: ContentWarp) -> None:
    """Let the boxes of instances follow the zoom.

    Args:
        instances: ``InstanceData``, already scaled to the zoomed image, changed in place.
        warp: Of the image.

    Raises:
        ValueError: If the instances have masks.
    """
    if 'masks' in instances:
        raise ValueError(
            "zoom.labels='warped' moves boxes, not instance masks: remove with_mask from the "
            "pipeline, or set zoom.labels='resized' and unzoom the features"
        )
    if 'bboxes' in instances:
        instances.bboxes = warp_boxes(
            instances.bboxes, warp.warp, warp.zoomed_content, inverse=True
        )


def follow_pixels(pixels: PixelData, size: Size, warp: ContentWarp | None) -> PixelData:
    """Let per-pixel labels follow the image, by nearest neighbour.

    Args:
        pixels: Fields of shape (H, W) or (C, H, W), in the source image.
        size: (h, w) of the zoomed image.
        warp: Of the image; None for a uniform resize.

    Returns:
        New pixel data with the same fields, types and metainfo.
    """
    if warp is None:
        return scale_pixels(pixels, size)
    grid = zoom_grid(warp.warp, warp.source, size, warp.content).detach()
    fields = {name: _sample_nearest(value, grid) for name, value in pixels.items()}
    return PixelData(metainfo=dict(pixels.metainfo_items()), **fields)


def unzoom_logits(logits: Tensor, warp: ContentWarp, flipped: tuple[int, ...] = ()) -> Tensor:
    """Lay logits of the zoomed image as if it had been resized uniformly.

    Args:
        logits: Shape (C, h, w).
        warp: Of the image.
        flipped: Axes along which the logits were flipped back after the model.

    Returns:
        Shape (C, h, w).
    """
    x, y = (
        pixel_positions(logits.shape[axis], warp.warp.knots_like)[None]
        * (warp.source[axis - 1] / warp.content[axis - 1])
        for axis in (2, 1)
    )
    points = warp.warp.raster(x, y, inverse=True)
    share = points.new_tensor(warp.content).flip(0) / points.new_tensor(warp.source).flip(0)
    grid = (2 * points * share - 1).to(logits.dtype)
    seen = logits.flip(flipped)[None]
    unzoomed = F.grid_sample(seen, grid, padding_mode='border', align_corners=False)[0]
    return unzoomed.flip(flipped)


def _sample_nearest(values: Tensor, grid: Tensor) -> Tensor:
    planes = values if values.dim() == 3 else values[None]
    # In float64, which holds every label id exactly; grid_sample takes no integers.
    sampled = F.grid_sample(
        planes[None].double(),
        grid.double(),
        mode='nearest',
        padding_mode='border',
        align_corners=False,
    )[0]
    return sampled.to(values.dtype).reshape(*values.shape[:-2], *sampled.shape[-2:])
