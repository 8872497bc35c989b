"""Labels that follow the image through the warp, and predictions that come back through it.

What LZ (Recasens et al., ECCV 2018), FOVEA (Thavamani et al., ICCV 2021) and LDS (Jin et al.,
ICLR 2022) do instead of unzooming features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from ..pipelines import MASKS_STAY
from ..warps import Warp
from ..warps.base import pixel_positions
from ..warps.zoom import zoom_grid, zoomed_content
from .labels import Size, scale_pixels


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
    def share(self) -> tuple[float, float]:
        """(h, w) of the source that is content, in (0, 1]."""
        return self.content[0] / self.source[0], self.content[1] / self.source[1]

    @property
    def zoomed_content(self) -> tuple[float, float]:
        """(h, w) of the content on the zoomed image, in pixels."""
        return zoomed_content(self.content, self.source, self.size)


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
        raise ValueError(MASKS_STAY)
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
    grid = _home_grid(logits, warp, warp.source).to(logits.dtype)
    seen = logits.flip(flipped)[None]
    unzoomed = F.grid_sample(seen, grid, padding_mode='border', align_corners=False)[0]
    return unzoomed.flip(flipped)


def unwarp_instances(
    instances: BaseDataElement, warp: ContentWarp, factor: tuple[float, float], whole: Size
) -> BaseDataElement:
    """Let the boxes and masks that a head predicted in the zoomed image come back.

    Args:
        instances: ``InstanceData``; left as it is.
        warp: Of the image.
        factor: By which the head has divided boxes, (x, y).
        whole: (h, w) in pixels of the source of what masks cover.

    Returns:
        The same instances where the source image has them, as if it had been resized uniformly.
    """
    home = instances.new()
    h, w = warp.zoomed_content
    if 'bboxes' in home:
        size = (h / factor[1], w / factor[0])
        home.bboxes = warp_boxes(home.bboxes, warp.warp, size, inverse=False)
    if 'masks' in home and len(home.masks):
        grid = _home_grid(home.masks, warp, whole)
        # One by one: all masks of an image as floating point may not fit into memory.
        home.masks = torch.cat([_sample_mask(mask, grid) for mask in home.masks])
    return home


def unwarp_pixels(pixels: PixelData, warp: ContentWarp, whole: Size) -> PixelData:
    """Let labels of pixels that were predicted in the zoomed image come back.

    Args:
        pixels: Fields of shape (1, h, w).
        warp: Of the image.
        whole: (h, w) in pixels of the source of what they cover.

    Returns:
        New pixel data with the same fields, types and metainfo.
    """
    fields = {
        name: _sample_nearest(value, _home_grid(value, warp, whole))
        for name, value in pixels.items()
    }
    return PixelData(metainfo=dict(pixels.metainfo_items()), **fields)


def _home_grid(values: Tensor, warp: ContentWarp, whole: Size) -> Tensor:
    """Where to sample what was predicted in the zoomed image, (1, h, w, 2).

    Args:
        values: (..., h, w), which cover the ``whole``.
        warp: Of the image.
        whole: (h, w) in pixels of the source, of which the content is at the top left.
    """
    x, y = (
        pixel_positions(values.shape[axis], warp.warp.knots_like)[None]
        * (whole[axis] / warp.content[axis])
        for axis in (-1, -2)
    )
    points = warp.warp.raster(x, y, inverse=True).detach()
    share = points.new_tensor([c / n for c, n in zip(warp.content, whole)]).flip(0)
    return 2 * points * share - 1


def _sample_mask(mask: Tensor, grid: Tensor) -> Tensor:
    values = mask[None, None].to(grid.dtype)
    sampled = F.grid_sample(values, grid, padding_mode='border', align_corners=False)[0]
    return (sampled >= 0.5).to(mask.dtype)


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
