"""Unzoom: lay the features of a zoomed image as if it had been resized uniformly."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Mapping, Sequence

from mmengine.model import BaseModule, Sequential
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from torch import Tensor

from ..link import ZoomedBatch, claim_link, model_under_construction
from ..registry import MODELS
from ..warps import identity_warp, unzoom_feature
from ..warps.compat import is_compiling
from .frame import frame_of
from .levels import UnzoomedLevels

_INNER = 'inner.'


@MODELS.register_module()
class UnzoomNeck(BaseModule):
    """Runs a stock neck, then unzooms its levels (LZU, Thavamani et al., CVPR 2023).

    The neck reads the warps of the model's zoom data preprocessor. It keeps no weights of its own
    and hides its level in the state dict both ways: stock checkpoints load strictly, and what is
    saved loads into the stock model. Without a preprocessed batch (``get_flops``) it does nothing
    but run the stock neck, and warns once.

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
        **inner_kwargs: Any,
    ) -> None:
        super().__init__()
        self.link = claim_link()
        _refuse_slide_inference()
        if inner_kwargs and not isinstance(inner, str):
            raise ValueError(
                f'UnzoomNeck has no inner neck to give {sorted(inner_kwargs)} to: set '
                "model.neck.inner to the stock neck's type, or them in the config(s) it holds"
            )
        self.inner = None if inner is None else _build_inner(inner, inner_kwargs)
        self.antialias = antialias
        self.frame = frame_of(frame)
        self._warned_identity = False
        if inner is not None:
            self._register_load_state_dict_pre_hook(self._add_level)

    def forward(self, inputs: Any) -> Sequence[Tensor]:
        """Run the stock neck and unzoom.

        Args:
            inputs: Levels of the backbone, each (N, C, h, w).

        Returns:
            Unzoomed levels, each (N, C, h, w).

        Raises:
            RuntimeError: If the features are not those of the batch that was zoomed last.
            TypeError: If the inner neck gives no such levels.
        """
        features = inputs if self.inner is None else self.inner(inputs)
        features = (features,) if isinstance(features, Tensor) else tuple(features)
        self._check_levels(features)
        batch = self.link.batch
        if batch is None:
            self._warn_identity()
            return features
        if not batch.unzoom or (batch.warp is None and self.frame == (1, 1)):
            return features
        _check_batch(features[0], batch)
        unzoom = partial(self._unzoom, batch=batch)
        # Heads read all that a stock neck gives, but not all that a backbone does.
        if self.inner is None and not is_compiling():
            return UnzoomedLevels(features, unzoom)
        return tuple(map(unzoom, features))

    def state_dict(
        self,
        *args: Any,
        destination: dict[str, Any] | None = None,
        prefix: str = '',
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """The stock neck's state dict; see ``torch.nn.Module.state_dict``."""
        if self.inner is not None:
            return self.inner.state_dict(
                *args, destination=destination, prefix=prefix, keep_vars=keep_vars
            )
        return super().state_dict(
            *args, destination=destination, prefix=prefix, keep_vars=keep_vars
        )

    @staticmethod
    def _add_level(state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        for key in [key for key in state_dict if key.startswith(prefix)]:
            state_dict[prefix + _INNER + key[len(prefix) :]] = state_dict.pop(key)

    def _check_levels(self, features: tuple[Any, ...]) -> None:
        if not all(isinstance(feature, Tensor) and feature.dim() == 4 for feature in features):
            source = 'the backbone' if self.inner is None else type(self.inner).__name__
            raise TypeError(
                f'UnzoomNeck unzooms levels (N, C, h, w), which {source} does not give: a model '
                'without them cannot be unzoomed. Remove UnzoomNeck from model.neck'
            )

    def _unzoom(self, feature: Tensor, batch: ZoomedBatch) -> Tensor:
        warp = identity_warp(feature) if batch.warp is None else batch.warp
        return unzoom_feature(
            feature,
            warp,
            batch.content,
            batch.canvas,
            batch.align_corners,
            self.antialias and batch.warp is not None,
            self.frame,
        )

    def _warn_identity(self) -> None:
        if not self._warned_identity:
            self._warned_identity = True
            warnings.warn(
                'UnzoomNeck got features of a batch that no zoom data preprocessor has seen, and '
                'leaves them as they are. Fine to count FLOPs; else pass the data through '
                'model.data_preprocessor first.',
                stacklevel=3,
            )


def _build_inner(inner: Any, arguments: dict[str, Any]) -> Any:
    """Build a stock neck, or several in a row as registries do, with the same state dict."""
    if isinstance(inner, str):
        return _build_neck({'type': inner, **arguments})
    return (
        _build_neck(inner) if isinstance(inner, Mapping) else Sequential(*map(_build_neck, inner))
    )


def _build_neck(config: Mapping[str, Any]) -> Any:
    """Build a stock neck in the scope it comes from: given, the run's, the model's, or any."""
    name = config['type']
    if isinstance(name, str) and '.' not in name:
        model, _ = model_under_construction()
        scope = DefaultScope.get_current_instance()
        scopes = [scope.scope_name] if scope is not None else []
        scopes += [parent.__module__.split('.')[0] for parent in type(model).__mro__]
        scopes += ['mmdet', 'mmseg', 'mmdet3d']
        found = (f'{scope}.{name}' for scope in scopes if ROOT_MODELS.get(f'{scope}.{name}'))
        config = {**config, 'type': next(found, name)}
    return ROOT_MODELS.build(config)


def _refuse_slide_inference() -> None:
    _, arguments = model_under_construction()
    test_cfg = arguments.get('test_cfg')
    if isinstance(test_cfg, Mapping) and test_cfg.get('mode') == 'slide':
        raise ValueError(
            'Slide inference crops the zoomed image, but UnzoomNeck unzooms whole images. Set '
            "model.test_cfg to dict(_delete_=True, mode='whole')."
        )


def _check_batch(feature: Tensor, batch: ZoomedBatch) -> None:
    if feature.shape[0] != len(batch.content):
        raise RuntimeError(
            f'UnzoomNeck got features of {feature.shape[0]} images, but the data preprocessor '
            f'zoomed {len(batch.content)} last. Pass every batch through model.data_preprocessor '
            'right before the model.'
        )
