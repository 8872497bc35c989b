"""From the images of a batch to their warps."""

from __future__ import annotations

import warnings
from random import Random
from typing import Any, Mapping

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ..frames import SourceFrame
from ..link import models_under_construction
from ..pipelines import read_pipelines
from ..registry import MODELS
from ..saliency import BaseSaliency
from ..saliency.estimation.magnification import same_aspect
from ..warps import Warp, saliency_to_warp
from .settings import ZoomSettings


class WarpMixin(BaseDataPreprocessor):
    """Looks at the images of a batch, and makes their warps.

    Attributes:
        zoom: The settings.
        saliency: Where to look.
    """

    def _look_by(self, settings: ZoomSettings) -> None:
        """Build the saliency module; called once, by ``__init__``."""
        self.zoom = settings
        self.saliency: BaseSaliency = MODELS.build(dict(settings.saliency, _scope_='lzu_mm'))
        self._check_images()
        whole = [m for m in self.saliency.modules() if getattr(m, 'of_whole_images', False)]
        self._vouched = not whole or read_pipelines(type(whole[0]).__name__)
        self._aspect = self._choose_aspect() if settings.size == 'auto' else (1.0, 1.0)
        # Not torch's generator: all processes of a distributed training must draw the same.
        self._draw = Random(0)
        self._shared_warps: dict[tuple[int, ...], tuple[Tensor, Warp, Tensor]] = {}

    def init_weights(self) -> None:
        """Initialise the saliency module; called by the model's ``init_weights``."""
        self.saliency.init_weights()

    def warp(
        self, images: list[Tensor], samples: list[Any] | None, training: bool
    ) -> tuple[Warp | None, Tensor | None]:
        """The warps of a batch.

        Args:
            images: Source images, each (C, H, W).
            samples: Their data samples, if any.
            training: Whether the batch is one to train on.

        Returns:
            A batch of warps, a single one where all images are looked at alike, or None where every
            warp is the identity; and the saliency that they were made from.
        """
        if self.saliency.is_uniform or (self.zoom.train_only and not training):
            return None, None
        shared = self.saliency.shared(images, samples)
        if shared is not None:
            return self._shared_warp(*shared)
        # Geometry keeps float32 under autocast too.
        with torch.autocast(images[0].device.type, enabled=False):
            saliency = self.saliency(images, samples, training)
            taught = training and self.saliency.is_taught()
            looked = saliency.detach() if taught else saliency
            return saliency_to_warp(looked, **self.zoom.warp_options()), saliency

    def _shared_warp(self, source: Tensor, flipped: tuple[int, ...]) -> tuple[Warp, Tensor]:
        """The warp of an unchanging map; made once, it keeps the grids that were made from it."""
        known = self._shared_warps.get(flipped)
        if known is None or known[0] is not source:
            # What is made in inference mode could not be used in training later.
            with torch.inference_mode(False), torch.no_grad():
                saliency = source.flip(flipped)
                warp = saliency_to_warp(saliency, **self.zoom.warp_options())
            known = self._shared_warps[flipped] = (source, warp, saliency)
        return known[1:]

    def _check_images(self) -> None:
        """Let the saliency modules know what the config tells of the images."""
        mean, std = (
            None if values is None else values.flatten().tolist()
            for values in (getattr(self, 'mean', None), getattr(self, 'std', None))
        )
        channels = [len(mean)] if mean and len(mean) > 1 else []  # one value may be for all
        for _, arguments in models_under_construction():
            backbone = arguments.get('backbone')
            if isinstance(backbone, Mapping) and isinstance(backbone.get('in_channels'), int):
                channels.append(backbone['in_channels'])
        for module in self.saliency.modules():
            if isinstance(module, BaseSaliency):
                module.check_images(next(iter(channels), None), mean, std)

    def _choose_aspect(self) -> tuple[float, float]:
        """Factors of the zoomed height and width at which objects keep their aspect on average."""
        if self.saliency.is_uniform:
            return 1.0, 1.0
        shared = self.saliency.shared([], None)
        if shared is None:
            raise ValueError(
                "zoom.size='auto' needs a map that is the same for all images (FixedSaliency, "
                'HorizonSaliency with a row): set zoom.size=(h, w), or leave it out'
            )
        saliency = shared[0].float()
        return same_aspect(saliency[0, 0], saliency_to_warp(saliency, **self.zoom.warp_options()))

    def _keep_in_graph(self, image: Tensor) -> Tensor:
        """Let the image depend on all that learns, as DDP wants of every parameter in every step.

        Some batches are left out by ``train_prob``, and some have no box to look at.
        """
        learned = [p for p in self.saliency.parameters() if p.requires_grad]
        return image + sum(p.flatten()[:0].sum() for p in learned) if learned else image

    def _draws_zoom(self) -> bool:
        return self.zoom.train_prob == 1 or self._draw.random() < self.zoom.train_prob

    def _warn_of_doubt(
        self, frames: list[SourceFrame], samples: list[Any] | None, training: bool
    ) -> None:
        """Warn once of what metainfo cannot tell, where no pipelines could be read."""
        if self._vouched:
            return
        known = [sample.metainfo for sample in samples or () if sample is not None]
        doubts = [frame.doubt for frame in frames if frame.doubt]
        if training and any('flip' not in metainfo for metainfo in known):
            doubts.append("a flip is not followed unless 'flip' is in meta_keys of Pack*Inputs")
        if doubts:
            self._vouched = True
            warnings.warn(f'{type(self.saliency).__name__}: {doubts[0]}', stacklevel=3)
