"""Learned saliency: a small CNN on a low-resolution copy of the image.

Trained end to end by the task's loss alone, through zoom and unzoom, as in Recasens et al., ECCV
2018 (LZ) and LDS.
"""

from __future__ import annotations

import warnings
from typing import Any, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from ..frames import source_frames
from ..registry import MODELS
from .base import BaseSaliency


@MODELS.register_module()
class LearnedSaliency(BaseSaliency):
    """Softmax over the cells of what a CNN sees in a low-resolution copy of the image.

    It starts uniform, since the last convolution starts at zero.

    Args:
        grid_shape: (h_S, w_S) of the map.
        input_size: (h, w) of the copy, in pixels.
        backbone: Config of any registered backbone, its last level is read; three 3x3 convolutions
            by default, as in LDS.
        in_channels: Channels of the backbone's last level; to be given with ``backbone``.
        floor: Share of the mass that stays uniform, in [0, 1). ``zoom.max_magnification`` bounds
            the warp directly.

    Raises:
        ValueError: If a setting is out of range or missing.
    """

    def __init__(
        self,
        grid_shape: tuple[int, int] = (31, 51),
        input_size: tuple[int, int] = (96, 160),
        backbone: dict[str, Any] | None = None,
        in_channels: int | None = None,
        floor: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= floor < 1:
            raise ValueError(f'saliency.floor must be in [0, 1), got {floor}')
        if (backbone is None) != (in_channels is None):
            raise ValueError('saliency.backbone and saliency.in_channels go together')
        self.grid_shape = (grid_shape[0], grid_shape[1])
        self.input_size = tuple(input_size)
        self.floor = floor
        self.backbone = _small_backbone() if backbone is None else MODELS.build(backbone)
        self.head = nn.Conv2d(in_channels or 32, 1, 1)
        self._start_uniform()

    def init_weights(self) -> None:
        """Initialise the backbone as its config says, and the head to uniform."""
        super().init_weights()
        self._start_uniform()

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        copies = torch.cat(
            [
                self._shrink(image[:, : frame.content[0], : frame.content[1]])
                for image, frame in zip(images, source_frames(images, samples))
            ]
        )
        features = self.backbone(copies)
        if not isinstance(features, Tensor):
            features = features[-1]
        logits = F.interpolate(
            self.head(features).float(), self.grid_shape, mode='bilinear', align_corners=False
        )
        share = logits.flatten(1).softmax(dim=1).view_as(logits)
        return (1 - self.floor) * share + self.floor / share[0].numel()

    def get_extra_state(self) -> Tensor:
        """The shape of the map, which no weight tells, for the checkpoint."""
        return torch.tensor(self.grid_shape)

    def set_extra_state(self, state: Tensor) -> None:
        """Compare the shape of the map with that of a checkpoint."""
        trained = tuple(state.tolist())
        if trained != self.grid_shape:
            warnings.warn(
                f'LearnedSaliency was trained with a map of {trained}, but saliency.grid_shape is '
                f'{self.grid_shape}: its zoom will differ. Set saliency.grid_shape={trained} '
                "in the config's zoom, or train on.",
                stacklevel=2,
            )

    def _shrink(self, image: Tensor) -> Tensor:
        small = F.interpolate(image[None].float(), self.input_size, mode='area')
        return small / 127.5 - 1

    def _start_uniform(self) -> None:
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)


def _small_backbone() -> nn.Module:
    norm = dict(type='GN', num_groups=8)
    return nn.Sequential(
        ConvModule(3, 16, 3, stride=2, padding=1, norm_cfg=norm),
        ConvModule(16, 32, 3, stride=2, padding=1, norm_cfg=norm),
        ConvModule(32, 32, 3, padding=1, norm_cfg=norm),
    )
