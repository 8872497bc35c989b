"""Zoom a batch of images, and unzoom what a backbone makes of it.

Convention: see :mod:`lzu_mm.warps.base`. The map is of the images as they are handed over, padding
included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import torch
from torch import Tensor, nn

from ..checks import check_flag, check_number, check_pair, check_size
from ..nested import tensors
from ..warps import Warp, identity_warp, saliency_to_warp, unzoom_feature
from ..warps.compat import is_capturing, is_compiling
from ..warps.zoom import zoom_images, zoomed_size
from .features import check_channels_first, first_images, map_features, resize_mask

__all__ = ['Zoom']


class Zoom(nn.Module):
    """The settings of a zoom, and where it looks.

    Args:
        saliency: ``'uniform'``; the path of a saliency file; a map (h_S, w_S), such as
            :func:`horizon_saliency` makes; or what gives maps (N, 1, h_S, w_S) of images
            (N, C, H, W): a function or a module such as :class:`SaliencyNet`.
        scale: Ratio of each side of the zoomed image, in (0, 8]; 0.5 by default.
        size: (h, w) of the zoomed image, in pixels, instead.
        antialias: Average where the zoom minifies (:mod:`lzu_mm.warps.antialias`).
        unzoom_antialias: Average where the unzoom minifies (:mod:`lzu_mm.warps.area`).
        frame: Cells to lay for each cell of a level, one number or (along y, along x). Strides
            shrink by as much; heads that take them as numbers must be told.
        align_corners: Convention of the pixels of images and features.
        **warp: Settings of :func:`lzu_mm.warps.saliency_to_warp`: ``method``, ``attraction_fwhm``,
            ``uniform_share``, ``max_magnification``, ``separable``, ``anti_crop``.

    Raises:
        ValueError: If a setting is out of range, or the map is not one.
        FileNotFoundError: If there is no saliency file at the path.
    """

    def __init__(
        self,
        saliency: Any,
        scale: float | None = None,
        size: Sequence[int] | None = None,
        antialias: bool = False,
        unzoom_antialias: bool = False,
        frame: float | Sequence[float] = 1,
        align_corners: bool = False,
        **warp: Any,
    ) -> None:
        super().__init__()
        if scale is not None and size is not None:
            raise ValueError(f'zoom takes scale or size (h, w): got scale={scale}, size={size}')
        self.scale = check_number('scale', 0.5 if scale is None else scale, '(0, 8]')
        self.size = None if size is None else check_size('size', tuple(size), '[1, 65536]')
        self.antialias = check_flag('antialias', antialias)
        self.unzoom_antialias = check_flag('unzoom_antialias', unzoom_antialias)
        self.align_corners = check_flag('align_corners', align_corners)
        self.frame = check_pair('frame', frame, '(0, 8]')
        self.warp_options = warp
        # Not a buffer: it is of no weight, stays float32 under half(), and EMA would average it.
        self._map: Tensor | None = None
        self._warps: dict[torch.device, Warp] = {}
        self.saliency: Any = None
        self._look_by(saliency)
        # Settings that do not go together are refused now.
        trial = saliency_to_warp(torch.ones(1, 1, 4, 4), **warp)
        self._unzoom(torch.zeros(1, 1, 4, 4), trial, (8, 8))

    def _look_by(self, saliency: Any) -> None:
        if isinstance(saliency, str) and saliency == 'uniform':
            return
        if isinstance(saliency, (str, Path)):
            from ..saliency.files import load_saliency

            saliency, _ = load_saliency(saliency)
        if isinstance(saliency, Tensor):
            if saliency.dim() == 2:
                saliency = saliency[None, None]
            if saliency.dim() != 4 or saliency.shape[0] != 1:
                raise ValueError(
                    f'a map is (h_S, w_S), the same for all images; got {tuple(saliency.shape)}. '
                    'Give a function of the images where each has its own'
                )
            self._map = saliency.detach().float().cpu()
            saliency_to_warp(self._map, **self.warp_options)
        elif callable(saliency):
            self.saliency = saliency
        else:
            raise ValueError(
                "saliency is 'uniform', a path, a map, or a function of the images; got "
                f'{type(saliency).__name__}'
            )

    def warp(self, images: Tensor) -> Warp | None:
        """The warps of images (N, C, H, W), or one for all; None where all are the identity."""
        # Geometry keeps float32 under autocast too.
        with torch.autocast(images.device.type, enabled=False):
            if self.saliency is not None:
                return saliency_to_warp(self.saliency(images), **self.warp_options)
            if self._map is None:
                return None
            if is_compiling():
                return saliency_to_warp(self._map.to(images.device), **self.warp_options)
            known = self._warps.get(images.device)
            if known is None:
                # What is made in inference mode could not be used in training later.
                with torch.inference_mode(False), torch.no_grad():
                    # It stays there: compiled code would copy it, and wait, for each batch.
                    self._map = self._map.to(images.device)
                    known = saliency_to_warp(self._map, **self.warp_options)
                # What a graph makes holds nothing until it is replayed.
                if not is_capturing(images):
                    self._warps[images.device] = known
            return known

    def output_size(self, source: Sequence[int]) -> tuple[int, int]:
        """Size (h, w) of the zoomed image of a source of (h, w)."""
        return zoomed_size(source, self.scale) if self.size is None else self.size

    def around(self, backbone: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run a backbone on zoomed images, and unzoom what it returns.

        Args:
            backbone: The function.
            args: Its arguments; the first (N, C, H, W) among them are the images.
            kwargs: The same by name.

        Returns:
            What the backbone returns, with all maps (N, C, h, w) unzoomed.

        Raises:
            TypeError: If there are no images among the arguments, or the backbone returns tokens
                and no map.
            ValueError: If a mask among the arguments says that images are padded, or maps are
                (N, h, w, C).
        """
        place, images = first_images(args, kwargs)
        _refuse_padding(images, args, kwargs)
        size = self.output_size(images.shape[2:])
        warp = self.warp(images)
        zoomed = zoom_images(images, warp, size, self.align_corners, self.antialias)
        if isinstance(place, str):
            features = backbone(*args, **{**kwargs, place: zoomed})
        else:
            features = backbone(*args[:place], zoomed, *args[place + 1 :], **kwargs)
        dims: set[int] = set()

        def unzoom(feature: Tensor) -> Tensor:
            dims.add(feature.dim() if feature.is_floating_point() else 0)
            return self._unzoom(feature, warp, size)

        unzoomed = map_features(unzoom, features)
        if 3 in dims and 4 not in dims:
            raise TypeError(
                'the backbone returns tokens (N, L, C), which lie as in the zoomed image: zoom a '
                'part that returns maps (N, C, h, w)'
            )
        return unzoomed

    def _unzoom(self, feature: Tensor, warp: Warp | None, canvas: tuple[int, int]) -> Tensor:
        if feature.dim() == 3 and feature.dtype == torch.bool and self.frame != (1, 1):
            return resize_mask(feature, self.frame)
        if feature.dim() != 4:
            return feature
        # Sizes are symbols while a model is compiled.
        if not is_compiling():
            check_channels_first(feature, canvas)
        if warp is None and self.frame == (1, 1):
            return feature
        return unzoom_feature(
            feature,
            identity_warp(feature) if warp is None else warp,
            [canvas] * feature.shape[0],
            canvas,
            self.align_corners,
            self.unzoom_antialias and warp is not None,
            self.frame,
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Zoom:
        """Move the map along with the weights of the model, in float32."""
        super()._apply(fn, *args, **kwargs)
        if self._map is not None:
            device = fn(self._map).device
            if device.type != 'meta':
                self._map = self._map.to(device)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_warps': {}}


def _refuse_padding(images: Tensor, args: tuple, kwargs: dict[str, Any]) -> None:
    """Refuse images of several sizes on one canvas: a map of the canvas is none of theirs."""
    if is_compiling():
        return
    n, _, h, w = images.shape
    for mask in tensors([*args, *kwargs.values()]):
        if mask is not images and mask.shape in ((n, h, w), (n, 1, h, w)) and _has_padding(mask):
            raise ValueError(
                'a mask says that images are padded, and the map is of the whole tensor: resize '
                'images to one size before they are batched (do_pad=False), so that the mask is '
                'all ones'
            )


def _has_padding(mask: Tensor) -> bool:
    content = mask != 0
    # Masks may be floats; a map of depths has other values.
    is_mask = not mask.is_floating_point() or bool((content == mask).all())
    return is_mask and not bool(content.all())
