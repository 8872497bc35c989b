"""Labels that follow the image through the warp, and predictions that come back through it.

What LZ (Recasens et al., ECCV 2018), FOVEA (Thavamani et al., ICCV 2021) and LDS (Jin et al.,
ICLR 2022) do instead of unzooming features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from ..warps import Warp
from .labels import Size, scale_pixels

if TYPE_CHECKING:
    from typing_extensions import Self


class WarpedSample(BaseDataElement):
    """A sample in the zoomed frame, until its predictions have come back through its warp.

    The warp stands beside the fields of the sample: metainfo would be copied and saved.
    """

    _warp: Warp | None

    @classmethod
    def of(cls, sample: BaseDataElement, warp: Warp) -> Self:
        """The same sample, with its warp."""
        warped = cls(metainfo=sample.metainfo)
        warped.set_data(dict(sample.items()))
        return warped._keep(warp)

    @property
    def warp(self) -> Warp | None:
        """The warp; None once the predictions are there."""
        return vars(self).get('_warp')

    def came_back(self) -> None:
        """Forget the warp, so that predictions that are set again do not come back twice."""
        self._keep(None)

    def new(self, *args: Any, **kwargs: Any) -> Self:
        """See ``BaseDataElement.new``; moves to another device pass through it."""
        return super().new(*args, **kwargs)._keep(self.warp)

    def _keep(self, warp: Warp | None) -> Self:
        object.__setattr__(self, '_warp', warp)
        return self


def warp_boxes(boxes: Any, warp: Warp, size: Size, inverse: bool) -> Any:
    """Map boxes by their upper left and lower right corners, so that both ways undo each other.

    Args:
        boxes: (K, 4) as (x1, y1, x2, y2) in pixels, a tensor or an mmdet box type.
        warp: A batch of one.
        size: (h, w) of the image that the boxes lie in.
        inverse: Map from the source to the zoomed image instead of back.

    Returns:
        Boxes of the same type, in pixels of an image of the same size.
    """
    values = boxes if isinstance(boxes, Tensor) else boxes.tensor
    scale = values.new_tensor([size[1], size[0]])
    corners = values.detach().reshape(1, -1, 2) / scale
    mapped = warp.to_zoomed(corners) if inverse else warp.to_source(corners)
    mapped = (mapped[0].detach() * scale).reshape(-1, 4).to(values.dtype)
    return mapped if isinstance(boxes, Tensor) else type(boxes)(mapped)


def warp_instances(instances: BaseDataElement, warp: Warp, size: Size) -> None:
    """Let the boxes of instances follow the zoom.

    Args:
        instances: ``InstanceData``, already scaled to ``size``, changed in place.
        warp: A batch of one.
        size: (h, w) of the zoomed image.

    Raises:
        ValueError: If the instances have masks.
    """
    if 'masks' in instances:
        raise ValueError(
            "zoom.labels='warped' moves boxes, not instance masks: remove with_mask from the "
            "pipeline, or set zoom.labels='resized' and unzoom the features"
        )
    if 'bboxes' in instances:
        instances.bboxes = warp_boxes(instances.bboxes, warp, size, inverse=True)


def follow_pixels(pixels: PixelData, size: Size, warp: Warp | None) -> PixelData:
    """Let per-pixel labels follow the image, by nearest neighbour.

    Args:
        pixels: Fields of shape (H, W) or (C, H, W), in the source image.
        size: (h, w) of the zoomed image.
        warp: A batch of one; None for a uniform resize.

    Returns:
        New pixel data with the same fields, types and metainfo.
    """
    if warp is None:
        return scale_pixels(pixels, size)
    grid = warp.zoom_grid(size).detach()
    fields = {name: _sample_nearest(value, grid) for name, value in pixels.items()}
    return PixelData(metainfo=dict(pixels.metainfo_items()), **fields)


def unzoom_logits(logits: Tensor, warp: Warp, flipped: tuple[int, ...] = ()) -> Tensor:
    """Lay logits of the zoomed image as if it had been resized uniformly.

    Args:
        logits: Shape (C, h, w).
        warp: A batch of one.
        flipped: Axes along which the logits were flipped back after the model.

    Returns:
        Shape (C, h, w).
    """
    grid = warp.unzoom_grid((logits.shape[1], logits.shape[2])).to(logits.dtype)
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
