"""Uniform saliency: plain resizing, the baseline of every comparison."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from torch import Tensor

from ..registry import MODELS
from .base import BaseSaliency


@MODELS.register_module()
class UniformSaliency(BaseSaliency):
    """Looks everywhere equally: the zoom is plain bilinear resizing, and unzooming is skipped."""

    is_uniform = True

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        return torch.ones(len(images), 1, 2, 2, device=images[0].device)
