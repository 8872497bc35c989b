"""Fixed saliency S_D: one map for a whole dataset, read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import torch
from torch import Tensor

from ..metainfo import scale_factor
from ..registry import MODELS
from .base import BaseSaliency
from .files import load_saliency

_FLIPPED_DIMS = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}


@MODELS.register_module()
class FixedSaliency(BaseSaliency):
    """Looks where objects were in the training set (S_D of FOVEA and LZU).

    The map belongs to the whole image: it follows the image's flip, and a cropped image is refused.

    Args:
        path: A saliency file, ``.npz`` or ``.npy``; ``tools/compute_saliency.py`` writes one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds no saliency map.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        saliency, _ = load_saliency(path)
        # Not persistent: stock checkpoints load strictly, and the file stays the one source.
        self.register_buffer('map', saliency[None, None], persistent=False)
        self.map: Tensor

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        if samples is None:
            return self.map.expand(len(images), -1, -1, -1)
        return torch.cat([self.map.flip(_flipped_dims(sample)) for sample in samples])

    def shared(self, samples: Sequence[Any] | None) -> tuple[Tensor, tuple[int, ...]] | None:
        """See :meth:`BaseSaliency.shared`."""
        flips = {_flipped_dims(sample) for sample in samples or (None,)}
        return (self.map, flips.pop()) if len(flips) == 1 else None


def _flipped_dims(sample: Any) -> tuple[int, ...]:
    if sample is None:
        return ()
    _refuse_crop(sample.metainfo)
    if not sample.metainfo.get('flip', False):
        return ()
    return _FLIPPED_DIMS[sample.metainfo.get('flip_direction') or 'horizontal']


def _refuse_crop(metainfo: dict[str, Any]) -> None:
    """Notice a crop: an image smaller than the resized original."""
    ori_shape, img_shape = metainfo.get('ori_shape'), metainfo.get('img_shape')
    if ori_shape is None or img_shape is None or tuple(ori_shape[:2]) == tuple(img_shape[:2]):
        return
    scale_w, scale_h = scale_factor(metainfo)
    resized = (ori_shape[0] * scale_h, ori_shape[1] * scale_w)
    if any(size < whole - 2 for size, whole in zip(img_shape, resized)):
        raise ValueError(
            f'FixedSaliency is a map of the whole image, but this image of {tuple(img_shape[:2])} '
            f'is a crop of {tuple(round(size) for size in resized)}. Remove RandomCrop and the '
            "like from the pipeline (train_pipeline), or use type='lzu_mm.UniformSaliency'."
        )
