"""Slicing (SAHI, Akyon et al., ICIP 2022): the network sees the image piece by piece.

Each piece is resized to the input of the network, so that k pieces cost k passes. Training sees
pieces too, as SAHI's slicing aided fine-tuning does.
"""

from __future__ import annotations

from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmdet.models import DetTTAModel
from mmengine.registry import MODELS, TRANSFORMS
from torch import Tensor

from .crop import CropBox


@TRANSFORMS.register_module()
class RandomSlice(BaseTransform):
    """Cuts a piece of fixed size out of an image, anywhere in it.

    Args:
        size: (h, w) of the piece, in pixels of the image.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop image and boxes; see ``BaseTransform``."""
        # torch's generator: mmengine seeds it in every worker.
        top, left = (
            int(torch.randint(max(n - m, 0) + 1, ()))
            for n, m in zip(results['img'].shape[:2], self.size)
        )
        return CropBox((left, top, left + self.size[1], top + self.size[0])).transform(results)


def slice_boxes(
    shape: tuple[int, int], size: tuple[int, int], rows: int, columns: int
) -> list[tuple[int, int, int, int]]:
    """Pieces of an image, evenly spread from edge to edge.

    Args:
        shape: (h, w) of the image.
        size: (h, w) of a piece.
        rows: Pieces along y.
        columns: Pieces along x.

    Returns:
        (left, top, right, bottom) of each, for :class:`CropBox`.
    """
    tops, lefts = (
        [round(i * (n - m) / max(k - 1, 1)) for i in range(k)]
        for n, m, k in zip(shape, size, (rows, columns))
    )
    return [(left, top, left + size[1], top + size[0]) for top in tops for left in lefts]


@MODELS.register_module()
class SlicedTTA(DetTTAModel):
    """Merges the predictions in the pieces of an image.

    Each view of the test time augmentation is a piece; ``ori_crop_offset`` among its ``meta_keys``
    tells which. Duplicates where pieces overlap are left to the non-maximum suppression of
    ``tta_cfg``.
    """

    def merge_aug_bboxes(
        self, aug_bboxes: list[Tensor], aug_scores: list[Tensor], img_metas: list[dict]
    ) -> tuple[Tensor, Tensor]:
        """Move the boxes of each piece to where it lies; see ``DetTTAModel``."""
        moved = [
            boxes + boxes.new_tensor(meta['ori_crop_offset']).repeat(2)
            for boxes, meta in zip(aug_bboxes, img_metas)
        ]
        return torch.cat(moved), torch.cat(aug_scores)
