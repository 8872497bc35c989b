"""Maps that belong to the whole image, whatever it shows: they follow flips and refuse crops."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from torch import Tensor

from ..frames import SourceFrame, source_frames
from .base import BaseSaliency


class WholeImageSaliency(BaseSaliency):
    """One map for all images: it follows the image's flip, and a cropped image is refused.

    Args:
        saliency: The map (h_S, w_S) of an image that is not flipped.
    """

    of_whole_images = True

    def __init__(self, saliency: Tensor) -> None:
        super().__init__()
        # Not persistent: stock checkpoints load strictly, and the config stays the one source.
        self.register_buffer('map', saliency[None, None], persistent=False)
        self.map: Tensor

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        return torch.cat([frame.map_to_content(self.map) for frame in self.frames(images, samples)])

    def shared(
        self, images: list[Tensor], samples: Sequence[Any] | None
    ) -> tuple[Tensor, tuple[int, ...]] | None:
        """See :meth:`BaseSaliency.shared`."""
        flips = {frame.flipped for frame in self.frames(images, samples)} or {()}
        return (self.map, flips.pop()) if len(flips) == 1 else None

    def frames(self, images: list[Tensor], samples: Sequence[Any] | None) -> list[SourceFrame]:
        """How the images show their originals.

        Args:
            images: As for :meth:`forward`.
            samples: As for :meth:`forward`.

        Raises:
            ValueError: If an image is a crop.
        """
        return [frame.known(type(self).__name__) for frame in source_frames(images, samples)]
