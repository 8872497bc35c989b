"""A backbone that zooms, computes and unzooms (LZU, Thavamani et al., CVPR 2023)."""

from __future__ import annotations

from typing import Any

from torch import nn

from .zoom import Zoom

__all__ = ['ZoomedBackbone']

_LEVEL = 'backbone.'


class ZoomedBackbone(nn.Module):
    """Runs a backbone on a zoomed image, and lays its features over the full frame.

    Heads see features of a coarser stride: a level of stride 8 has, at ``scale=0.5``, a stride of
    16 in pixels of the image that was handed over. Boxes, masks and classes come out where they
    always did, wherever a head takes strides from the sizes of image and features.

    Args:
        backbone: Takes images (N, C, H, W) among its arguments, and returns maps (N, C, h, w): a
            tensor, list, tuple, dict, or an object that holds them.
        saliency: See :class:`Zoom`.
        scale: Ratio of each side of the zoomed image; 0.5 unless ``size`` is given.
        keep_names: Save and load weights under the names that they have in ``backbone``, so that
            a checkpoint of the model without zoom fits, both ways.
        **zoom: Further settings of :class:`Zoom`, such as ``size`` and ``method``.

    Attributes:
        backbone: What was given. Its attributes, such as ``out_channels``, are found here too.
        zoom: The zoom.

    Example:
        >>> import torch
        >>> from lzu_mm.nn import horizon_saliency
        >>> backbone = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        >>> zoomed = ZoomedBackbone(backbone, horizon_saliency(0.45), scale=0.5)
        >>> zoomed(torch.rand(2, 3, 64, 128)).shape
        torch.Size([2, 8, 8, 16])
    """

    def __init__(
        self,
        backbone: nn.Module,
        saliency: Any,
        scale: float | None = None,
        keep_names: bool = True,
        **zoom: Any,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.zoom = Zoom(saliency, scale, **zoom)
        if keep_names:
            self._register_state_dict_hook(_hide_level)
            self._register_load_state_dict_pre_hook(_show_level, with_module=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Arguments and result as of the backbone; see :meth:`Zoom.around`."""
        return self.zoom.around(self.backbone, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == 'backbone':
                raise
            return getattr(self.backbone, name)


def _hide_level(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Save the weights of the backbone under the names that they have in it."""
    for key in [key for key in state if key.startswith(prefix + _LEVEL)]:
        state[prefix + key[len(prefix + _LEVEL) :]] = state.pop(key)


def _show_level(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Find these weights again."""
    # Of a saliency that learns.
    own = {f'{prefix}zoom.{name}' for name in module.get_submodule('zoom').state_dict()}
    for key in [key for key in state if key.startswith(prefix) and key not in own]:
        state[prefix + _LEVEL + key[len(prefix) :]] = state.pop(key)
