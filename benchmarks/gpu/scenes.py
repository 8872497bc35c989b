"""Sizes and inputs: images, saliency maps and feature levels."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gpu.clock import Setting

CHANNELS = 256


class Sizes(NamedTuple):
    """(h, w) of the images, what they are zoomed to, and the five levels of an FPN on that."""

    source: tuple[int, int]
    zoomed: tuple[int, int]
    levels: tuple[tuple[int, int], ...]


def sizes(setting: Setting, zoomed: tuple[int, int] = (600, 960)) -> Sizes:
    """1200x1920 to 600x960, by default; next to nothing with ``--quick``."""
    h, w = (96, 160) if setting.quick else zoomed
    levels = tuple((-(-h // stride), -(-w // stride)) for stride in (8, 16, 32, 64, 128))
    return Sizes((2 * h, 2 * w), (h, w), levels)


def saliency(batch: int, device: Any = 'cpu', seed: int = 0) -> Tensor:
    """Maps of ordinary contrast, all different, (N, 1, 31, 51)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 1, 5, 8, generator=generator) ** 3
    return F.interpolate(coarse, (31, 51), mode='bicubic').clamp_min(0.02).to(device)


def noise(*shape: int, device: Any = 'cpu', seed: int = 0) -> Tensor:
    """Uniform in [0, 1)."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).to(device)
