"""Maps that belong to the whole image, whatever it shows: they follow flips and refuse crops."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from torch import Tensor

from ..metainfo import flipped_dims, scale_factor
from .base import BaseSaliency


class WholeImageSaliency(BaseSaliency):
    """One map for all images: it follows the image's flip, and a cropped image is refused.

    Args:
        saliency: The map (h_S, w_S) of an image that is not flipped.
    """

    def __init__(self, saliency: Tensor) -> None:
        super().__init__()
        # Not persistent: stock checkpoints load strictly, and the config stays the one source.
        self.register_buffer('map', saliency[None, None], persistent=False)
        self.map: Tensor

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        if samples is None:
            return self.map.expand(len(images), -1, -1, -1)
        return torch.cat([self.map.flip(self.flipped_dims(sample)) for sample in samples])

    def shared(self, samples: Sequence[Any] | None) -> tuple[Tensor, tuple[int, ...]] | None:
        """See :meth:`BaseSaliency.shared`."""
        flips = {self.flipped_dims(sample) for sample in samples or (None,)}
        return (self.map, flips.pop()) if len(flips) == 1 else None

    def flipped_dims(self, sample: Any) -> tuple[int, ...]:
        """The axes along which a sample's image is flipped.

        Args:
            sample: A data sample, or None for an image as it was taken.

        Returns:
            Axes of a map, counted from the last.

        Raises:
            ValueError: If the image is a crop.
        """
        if sample is None:
            return ()
        self._refuse_crop(sample.metainfo)
        return flipped_dims(sample.metainfo)

    def _refuse_crop(self, metainfo: dict[str, Any]) -> None:
        """Notice a crop: an image smaller than the resized original."""
        ori_shape, img_shape = metainfo.get('ori_shape'), metainfo.get('img_shape')
        if ori_shape is None or img_shape is None or tuple(ori_shape[:2]) == tuple(img_shape[:2]):
            return
        if 'trans_mat' in metainfo:
            # AffineResize lays out the whole image anew, and notes no scale_factor.
            return
        scale_w, scale_h = scale_factor(metainfo)
        resized = (ori_shape[0] * scale_h, ori_shape[1] * scale_w)
        if any(size < whole - 2 for size, whole in zip(img_shape, resized)):
            raise ValueError(
                f'{type(self).__name__} is a map of the whole image, but this image of '
                f'{tuple(img_shape[:2])} is a crop of {tuple(round(size) for size in resized)}. '
                'Remove RandomCrop and the like from the pipeline (train_pipeline), or use '
                "type='lzu_mm.UniformSaliency'."
            )
