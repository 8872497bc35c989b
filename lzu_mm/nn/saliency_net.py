"""A small network that learns where to look, as LDS has it (Jin et al., ICLR 2022)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['SaliencyNet']


class SaliencyNet(nn.Module):
    """Softmax over the cells of what three convolutions see in a low-resolution copy of the image.

    It starts uniform, since the last convolution starts at zero, and learns by the task's loss
    through zoom and unzoom.

    Args:
        grid_shape: (h_S, w_S) of the map.
        input_size: (h, w) of the copy, in pixels.
        channels: Channels of the images.

    Example:
        >>> import torch
        >>> SaliencyNet()(torch.rand(2, 3, 480, 800)).shape
        torch.Size([2, 1, 31, 51])
    """

    def __init__(
        self,
        grid_shape: tuple[int, int] = (31, 51),
        input_size: tuple[int, int] = (96, 160),
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.grid_shape, self.input_size = tuple(grid_shape), tuple(input_size)
        layers: list[nn.Module] = []
        for wide, narrow, stride in ((channels, 16, 2), (16, 32, 2), (32, 32, 1)):
            convolution = nn.Conv2d(wide, narrow, 3, stride, padding=1, bias=False)
            layers += [convolution, nn.GroupNorm(8, narrow), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(32, 1, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Look at images (N, C, H, W) as the backbone gets them; gives (N, 1, h_S, w_S)."""
        features = self.head(self.layers(F.interpolate(images, self.input_size, mode='area')))
        logits = F.interpolate(
            features.float(), self.grid_shape, mode='bilinear', align_corners=False
        )
        return logits.flatten(1).softmax(dim=1).view_as(logits)
