"""Learned saliency: a small CNN on a low-resolution copy of the image.

Trained end to end by the task's loss, through zoom and unzoom, as in Recasens et al., ECCV 2018
(LZ) and LDS, or by the labels of the images (:mod:`lzu_mm.saliency.target`).
"""

from __future__ import annotations

import warnings
from inspect import signature
from typing import Any, Mapping, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from ..checks import check_config, check_grid_shape, check_number, check_size, check_whole
from ..frames import source_frames
from ..link import is_traced
from ..registry import MODELS
from ..stock import build_stock
from .base import BaseSaliency
from .target import SaliencyTarget

_BYTES = (0, 255)


@MODELS.register_module()
class LearnedSaliency(BaseSaliency):
    """Softmax over the cells of what a CNN sees in a low-resolution copy of the image.

    It starts uniform, since the last convolution starts at zero.

    Args:
        grid_shape: (h_S, w_S) of the map.
        input_size: (h, w) of the copy, in pixels.
        backbone: Config of any registered backbone, its last level is read; three 3x3 convolutions
            by default, as in LDS. A name without a scope is looked up as the model's own parts are.
        in_channels: Channels of the backbone's last level; to be given with ``backbone``.
        floor: Share of the mass that stays uniform, in [0, 1). ``zoom.max_magnification`` bounds
            the warp directly.
        channels: Channels of the images: 1 for grayscale.
        value_range: Values of black and white before normalisation, which become -1 and 1:
            (0, 65535) for images of 16 bits.
        target: Settings of a :class:`SaliencyTarget`, such as ``dict(kind='boxes')``: maps learn
            from the labels of their images, by a loss that is logged as ``loss_saliency``. None
            leaves them to the task's loss.

    Raises:
        ValueError: If a setting is out of range or missing, or the backbone does not take images of
            ``channels``, or gives other than ``in_channels``.
    """

    def __init__(
        self,
        grid_shape: tuple[int, int] = (31, 51),
        input_size: tuple[int, int] = (96, 160),
        backbone: dict[str, Any] | None = None,
        in_channels: int | None = None,
        floor: float = 0.0,
        channels: int = 3,
        value_range: tuple[float, float] = _BYTES,
        target: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_number('saliency.floor', floor, '[0, 1)')
        check_whole('saliency.channels', channels, '[1, inf)')
        if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
            raise ValueError(f'saliency.value_range must be (black, white), got {value_range!r}')
        check_number('saliency.value_range', value_range[0], '(-inf, inf)')
        check_number('saliency.value_range', value_range[1], f'({value_range[0]}, inf)')
        if (backbone is None) != (in_channels is None):
            raise ValueError('saliency.backbone and saliency.in_channels go together')
        if backbone is not None:
            check_config('saliency.backbone', backbone)
            check_whole('saliency.in_channels', in_channels, '[1, inf)')
        self.grid_shape = check_grid_shape(grid_shape)
        self.input_size = check_size('saliency.input_size', input_size, '[4, 4096]')
        self.floor = floor
        self.channels = channels
        self.value_range = (value_range[0], value_range[1])
        self.backbone = _small_backbone(channels) if backbone is None else build_stock(backbone)
        if in_channels is not None:
            self._check_backbone(in_channels)
        self.head = nn.Conv2d(in_channels or 32, 1, 1)
        self.target = None if target is None else _target(target)
        self.has_target = target is not None
        self._seen = False
        self._start_uniform()

    def init_weights(self) -> None:
        """Initialise the backbone as its config says, and the head to uniform."""
        super().init_weights()
        self._start_uniform()

    def check_images(
        self, channels: int | None, mean: Sequence[float] | None, std: Sequence[float] | None
    ) -> None:
        """See :meth:`BaseSaliency.check_images`."""
        if channels not in (None, self.channels):
            raise ValueError(
                f'LearnedSaliency looks at {self.channels} channels, but data_preprocessor.mean or '
                f'backbone.in_channels says {channels}: set zoom.saliency.channels={channels}'
            )
        if mean is None or std is None:
            return
        likely = likely_value_range(mean, std)
        low, high = self.value_range
        is_default = self.value_range == _BYTES
        if (likely != _BYTES) if is_default else not low <= min(mean) <= max(mean) <= high:
            raise ValueError(
                f'LearnedSaliency takes black and white to be {self.value_range}, which does not '
                f'fit data_preprocessor.mean={list(mean)}: set zoom.saliency.value_range to the '
                f'values of black and white before normalisation, such as {likely}'
            )

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`.

        Raises:
            ValueError: If images have other channels or values than the settings say.
        """
        frames = source_frames(images, samples)
        for image, frame in zip(images, frames):
            self._check_image(image, frame.name)
        self._seen = True
        copies = torch.cat(
            [
                self._shrink(image[:, : frame.content[0], : frame.content[1]])
                for image, frame in zip(images, frames)
            ]
        )
        features = self.head(self._last_level(copies)).float()
        logits = F.interpolate(features, self.grid_shape, mode='bilinear', align_corners=False)
        share = logits.flatten(1).softmax(dim=1).view_as(logits)
        return (1 - self.floor) * share + self.floor / share[0].numel()

    def losses(
        self, saliency: Tensor, images: list[Tensor], samples: Sequence[Any] | None
    ) -> dict[str, Tensor]:
        """See :meth:`BaseSaliency.losses`."""
        if self.target is None or not self.target.teaches():
            return {}
        loss = self.target.loss(saliency, source_frames(images, samples), samples)
        return {'loss_saliency': loss}

    def is_taught(self) -> bool:
        """See :meth:`BaseSaliency.is_taught`."""
        return self.target is not None and self.target.teaches()

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

    def _last_level(self, copies: Tensor) -> Tensor:
        levels = self.backbone(copies)
        return levels if isinstance(levels, Tensor) else levels[-1]

    def _shrink(self, image: Tensor) -> Tensor:
        small = F.interpolate(image[None].float(), self.input_size, mode='area')
        low, high = self.value_range
        return (small - low) / ((high - low) / 2) - 1

    def _check_image(self, image: Tensor, name: str) -> None:
        if image.shape[0] != self.channels:
            raise ValueError(
                f'LearnedSaliency looks at {self.channels} channels, but {name} has '
                f'{image.shape[0]}: set zoom.saliency.channels={image.shape[0]}, or color_type of '
                'LoadImageFromFile in the pipeline'
            )
        # Colour jitter goes beyond white; whether all pixels do, a look at the first batch tells.
        if image.dtype == torch.uint8 or self._seen or is_traced():
            return
        low, high = self.value_range
        pixels = image.float()
        least, most = float(pixels.min()), float(pixels.max())
        is_wide = str(image.dtype) == 'torch.uint16' and self.value_range == _BYTES
        is_unit = 0 <= least < most <= 1 < high and bool((pixels != pixels.round()).any())
        if is_wide or is_unit or most > high + (high - low) or least < low - (high - low):
            raise ValueError(
                f'LearnedSaliency takes black and white to be {self.value_range}, but {name} has '
                f'values of {image.dtype} from {least:g} to {most:g}: set '
                'zoom.saliency.value_range=(black, white), such as (0, 65535) for 16 bits'
            )

    @torch.no_grad()
    def _check_backbone(self, in_channels: int) -> None:
        """Look at a blank image: does the backbone take it, and give what the head expects?"""
        modes = [(module, module.training) for module in self.backbone.modules()]
        kind = type(self.backbone).__name__
        try:
            self.backbone.eval()
            found = self._last_level(torch.zeros(1, self.channels, *self.input_size)).shape[1]
        except Exception as error:
            raise ValueError(
                f'saliency.backbone ({kind}) does not take images of {self.channels} channels and '
                f'{self.input_size} pixels: set saliency.channels, saliency.input_size or '
                f'saliency.backbone.in_channels ({type(error).__name__}: {error})'
            ) from error
        finally:
            for module, training in modes:
                module.training = training
        if found != in_channels:
            raise ValueError(
                f'saliency.in_channels={in_channels}, but the last level of saliency.backbone '
                f'({kind}) has {found} channels: set saliency.in_channels={found}'
            )

    def _start_uniform(self) -> None:
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)


def likely_value_range(mean: Sequence[float], std: Sequence[float]) -> tuple[float, float]:
    """Black and white of the images that are normalised by a mean and a standard deviation."""
    if any(mean) and max(mean) <= 1:
        return (0, 1)
    # YOLO's models divide by white and subtract nothing.
    typical = max(mean) if any(mean) else max(std)
    return _BYTES if typical <= 256 else (0, 65535)


def _target(settings: Mapping[str, Any]) -> SaliencyTarget:
    known = list(signature(SaliencyTarget).parameters)
    if not isinstance(settings, Mapping) or set(settings) - set(known):
        raise ValueError(f'saliency.target takes a dict of {known}, got {settings!r}')
    return SaliencyTarget(**settings)


def _small_backbone(channels: int) -> nn.Module:
    norm = dict(type='GN', num_groups=8)
    return nn.Sequential(
        ConvModule(channels, 16, 3, stride=2, padding=1, norm_cfg=norm),
        ConvModule(16, 32, 3, stride=2, padding=1, norm_cfg=norm),
        ConvModule(32, 32, 3, padding=1, norm_cfg=norm),
    )
