"""Unzoom: lay the features of a zoomed image as if it had been resized uniformly."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Mapping, Sequence

from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from ..checks import check_flag
from ..link import (
    UNSEEN,
    WarpLink,
    ZoomedBatch,
    backbone_to_follow,
    find_link,
    in_tensor_mode,
    is_traced,
    models_under_construction,
)
from ..registry import MODELS
from ..stock import build_stock
from ..warps import identity_warp, unzoom_feature
from .frame import check_frame, frame_of
from .levels import UnzoomedLevels, level_maps, map_level

# What a module keeps its members in.
_MEMBERS = ('_modules', '_parameters', '_buffers', '_non_persistent_buffers_set', '_version')


@MODELS.register_module()
class UnzoomNeck(BaseModule):
    """Runs a stock neck, then unzooms its levels (LZU, Thavamani et al., CVPR 2023).

    The neck reads the warps of the model's zoom data preprocessor. It has the weights of the stock
    neck under their stock names, and none besides: stock checkpoints load strictly, what is saved
    loads into the stock model, and keys such as ``neck.fpn_convs`` in ``paramwise_cfg`` match.

    Features whose images no zoom data preprocessor has seen are refused. In mode ``tensor`` of a
    model that has never zoomed (``get_flops``) they stay as they are, with a warning.

    Args:
        inner: Type of the stock neck, such as ``'FPN'`` (a scope such as ``'mmdet.FPN'`` may
            precede), or its whole config; a list of configs where the stock model has several necks
            in a row, as DyHead; None for models without a neck, whose backbone levels are unzoomed
            as heads read them.
        antialias: Weigh features by area where a cell stands for more than one of the level; needs
            ``zoom.separable=True`` and ``zoom.align_corners=False``.
        frame: Cells to lay for each cell of a level, along both axes or (along y, along x). Strides
            shrink by as much, so that the strides of the heads must follow; ``tools/zoomify.py``
            writes them.
        link: The ``link`` of the zoom data preprocessor; by default that of the model that the neck
            is built for. Outside of a model, ``link.follow(backbone)`` lets the neck tell batches
            apart.
        **inner_kwargs: Arguments of the stock neck, if ``inner`` is a type; a child config inherits
            them.

    Raises:
        RuntimeError: If the model has no zoom data preprocessor.
        ValueError: If the model is tested by slide inference.
        KeyError: If there is no such neck.
    """

    def __init__(
        self,
        inner: str | dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        antialias: bool = False,
        frame: float | Sequence[float] = 1,
        link: WarpLink | None = None,
        **inner_kwargs: Any,
    ) -> None:
        super().__init__()
        self.antialias = check_flag('UnzoomNeck.antialias', antialias)
        self.frame = frame_of(frame)
        self.link = link or find_link('UnzoomNeck', 'remove UnzoomNeck from model.neck')
        self.link.claimed = True
        backbone = backbone_to_follow()
        if backbone is not None:
            self.link.follow(backbone)
        # TridentNet's stacks its branches along the batch.
        self._branches: int = getattr(backbone, 'num_branch', 1)
        _refuse_slide_inference()
        if inner_kwargs and not isinstance(inner, str):
            raise ValueError(
                f'UnzoomNeck has no inner neck to give {sorted(inner_kwargs)} to: set '
                "model.neck.inner to the stock neck's type, or them in the config(s) it holds"
            )
        self.inner: Any = None
        if inner is not None:
            self._take_over(_build_inner(inner, inner_kwargs))
        for _, arguments in models_under_construction()[:1]:
            check_frame(self.frame, backbone, self.inner, arguments)
        self._warned_identity = False

    def _take_over(self, inner: nn.Module) -> None:
        """Hold a stock neck, and its members as one's own."""
        object.__setattr__(self, 'inner', inner)
        for name in _MEMBERS:
            object.__setattr__(self, name, getattr(inner, name))

    def forward(self, inputs: Any) -> Any:
        """Run the stock neck and unzoom.

        Args:
            inputs: Levels of the backbone, each (N, C, h, w); a level may be a list of such a map
                and tensors without a place (class tokens), which stay.

        Returns:
            Unzoomed levels; one tensor if the backbone and the stock neck give one.

        Raises:
            RuntimeError: If nobody zoomed the images of the features.
            TypeError: If the inner neck gives no such levels.
        """
        batch = self.link.batch_of(inputs)
        features = inputs if self.inner is None else self.inner(inputs)
        levels = (features,) if isinstance(features, Tensor) else tuple(features)
        count = self._count_images(levels)
        if batch is None:
            self._stay_unseen()
            return features
        batch = self._fit(batch, count)
        if not batch.unzoom or (batch.content_warp is None and self.frame == (1, 1)):
            return features
        unzoom = partial(map_level, partial(self._unzoom, batch=batch))
        if isinstance(features, Tensor):
            return unzoom(features)
        # Heads read all that a stock neck gives, but not all that a backbone does.
        if self.inner is None and not is_traced():
            return UnzoomedLevels(levels, unzoom)
        return tuple(map(unzoom, levels))

    def init_weights(self) -> None:
        """Initialise the stock neck."""
        info = vars(self).get('_params_init_info')
        if info is not None and self.inner is not None:
            # A model notes in all its modules how they were initialised.
            self.inner._params_init_info = info
        if hasattr(self.inner, 'init_weights'):
            self.inner.init_weights()
        if self.inner is not None:
            vars(self.inner).pop('_params_init_info', None)
        self.is_init = True

    def train(self, mode: bool = True) -> UnzoomNeck:
        """See ``torch.nn.Module.train``."""
        super().train(mode)
        if self.inner is not None:
            self.inner.train(mode)
        return self

    def _save_to_state_dict(self, *args: Any) -> None:
        own = super()._save_to_state_dict
        (own if self.inner is None else self.inner._save_to_state_dict)(*args)

    def _load_from_state_dict(self, *args: Any) -> None:
        own = super()._load_from_state_dict
        (own if self.inner is None else self.inner._load_from_state_dict)(*args)

    def _count_images(self, levels: tuple[Any, ...]) -> int:
        maps = [level_maps(level) for level in levels]
        if not maps or not all(maps):
            source = 'the backbone' if self.inner is None else type(self.inner).__name__
            raise TypeError(
                f'UnzoomNeck unzooms levels (N, C, h, w), which {source} does not give: a model '
                'without them cannot be unzoomed. Remove UnzoomNeck from model.neck'
            )
        return len(maps[0][0])

    def _fit(self, batch: ZoomedBatch, count: int) -> ZoomedBatch:
        zoomed = len(batch.content)
        if count == zoomed:
            return batch
        if count == zoomed * self._branches:
            return batch.repeat(self._branches)
        raise RuntimeError(
            f'UnzoomNeck got features of {count} images, but the data preprocessor zoomed {zoomed} '
            'last. Pass every batch through model.data_preprocessor right before the model.'
        )

    def _unzoom(self, feature: Tensor, batch: ZoomedBatch) -> Tensor:
        warp = identity_warp(feature) if batch.content_warp is None else batch.content_warp
        return unzoom_feature(
            feature,
            warp,
            batch.content,
            batch.canvas,
            batch.align_corners,
            self.antialias and batch.content_warp is not None,
            self.frame,
        )

    def _stay_unseen(self) -> None:
        if self.link.batch is not None or not in_tensor_mode():
            raise RuntimeError(UNSEEN.format(reader='UnzoomNeck'))
        if not self._warned_identity:
            self._warned_identity = True
            warnings.warn(
                'UnzoomNeck got features of a batch that no zoom data preprocessor has seen, and '
                'leaves them as they are. Fine to count FLOPs.',
                stacklevel=3,
            )


def _build_inner(inner: Any, arguments: dict[str, Any]) -> nn.Module:
    """Build a stock neck, or several in a row as registries do, with the same state dict."""
    if isinstance(inner, str):
        return build_stock({'type': inner, **arguments})
    return (
        build_stock(inner) if isinstance(inner, Mapping) else Sequential(*map(build_stock, inner))
    )


def _refuse_slide_inference() -> None:
    for _, arguments in models_under_construction()[:1]:
        test_cfg = arguments.get('test_cfg')
        if isinstance(test_cfg, Mapping) and test_cfg.get('mode') == 'slide':
            raise ValueError(
                'Slide inference crops the zoomed image, but UnzoomNeck unzooms whole images. Set '
                "model.test_cfg to dict(_delete_=True, mode='whole')."
            )
