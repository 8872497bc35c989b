"""Which zoomed batch tensors belong to.

A batch is known by its tensors: the canvas that the preprocessor hands out, and what a followed
backbone makes of it. So features of another batch, thread or canvas are told apart, and
nothing is kept alive. A deep copy of a model (EMA) holds a link of its own, shared by the copies of
both ends.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from ..nested import tensors
from ..warps import Warp
from ..warps.compat import is_compiling
from ..warps.part import warp_of_parts

UNSEEN = (
    '{reader} got what belongs to images that the zoom data preprocessor of its model has not '
    'handed out. Pass every batch through model.data_preprocessor, and what it returns to the '
    'model.'
)
# Pixels along each axis of the canvas by which a copy of it is recognised.
_SAMPLED = 16


@dataclass
class ZoomedBatch:
    """What the neck must know of a batch that was zoomed.

    Attributes:
        content_warp: The warps of the N images, each over its content, or one for all, or None
            where all are the identity.
        content: (h, w) of the content of each zoomed image on the canvas, in pixels.
        shares: (h, w) of each source image that its content covers; the rest is padding.
        canvas: (H, W) of the padded batch.
        align_corners: Convention of the pixels.
        saliency: What the warps were made from, shape (N, 1, h_S, w_S), or (1, 1, h_S, w_S) for
            all; None as the warps.
        unzoom: Whether features are unzoomed, rather than labels warped.
        journeys: What the way home of predictions must know of each image; empty where they need
            none.
        skipped: Whether ``zoom.train_prob`` left the batch out, which is resized uniformly.
        losses: What the saliency adds to the losses of the model.
    """

    content_warp: Warp | None
    content: list[tuple[float, float]]
    shares: list[tuple[float, float]]
    canvas: tuple[int, int]
    align_corners: bool
    saliency: Tensor | None = None
    unzoom: bool = True
    journeys: Sequence[Any] = ()
    skipped: bool = False
    losses: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def warp(self) -> Warp | None:
        """The warps over the whole source images; None where all are the identity."""
        return self.content_warp and warp_of_parts(self.content_warp, self.shares)

    def repeat(self, times: int) -> ZoomedBatch:
        """The batch several times over, as a backbone with parallel branches stacks it."""
        warp = self.content_warp
        if warp is not None and len(warp) > 1:
            warp = warp.index(torch.arange(len(warp)).repeat(times))
        content, shares = self.content * times, self.shares * times
        return replace(self, content_warp=warp, content=content, shares=shares)


class WarpLink:
    """Tells which zoomed batch tensors belong to; shared by a preprocessor and a neck.

    Attributes:
        claimed: Whether a neck reads the link.
    """

    def __init__(self) -> None:
        self.claimed = False
        self._forget()

    def _forget(self) -> None:
        self._batches = WeakTensorKeyDictionary()
        self._own = threading.local()

    @property
    def batch(self) -> ZoomedBatch | None:
        """The batch that this thread zoomed last; None before the first."""
        return getattr(self._own, 'batch', None)

    def publish(self, canvas: Tensor, batch: ZoomedBatch) -> None:
        """Note a batch that was zoomed.

        Args:
            canvas: Its padded images, shape (N, C, H, W), as they are handed to the model.
            batch: What the neck must know of it.
        """
        self._batches[canvas] = batch
        self._own.batch = batch
        self._own.pixels = _sample(canvas).clone()
        self._own.passed = False

    def follow(self, backbone: nn.Module) -> None:
        """From now on, know what a backbone makes of a batch."""
        if not any(getattr(hook, '__self__', None) is self for hook in _hooks(backbone)):
            backbone.register_forward_hook(self._pass, with_kwargs=True)

    def batch_of(self, values: Any) -> ZoomedBatch | None:
        """The batch that tensors belong to.

        Where the way of tensors cannot be followed (compiled or traced code, a neck without a
        backbone), it is the one that this thread zoomed last.

        Args:
            values: A canvas, or what a followed backbone made of one.

        Returns:
            The batch, or None if nobody zoomed the images.
        """
        if is_traced():
            return self.batch
        for tensor in tensors(values):
            if tensor in self._batches:
                return self._batches[tensor]
        return None if getattr(self._own, 'passed', True) else self.batch

    def mark(self, values: Any, batch: ZoomedBatch) -> None:
        """Note that tensors belong to a batch."""
        for tensor in tensors(values):
            self._batches[tensor] = batch

    def _pass(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict, output: Any) -> None:
        if is_traced():
            return
        self._own.passed = True
        batch = self.batch_of_images((args, kwargs))
        if batch is not None:
            self.mark(output, batch)

    def batch_of_images(self, values: Any) -> ZoomedBatch | None:
        """The batch that images belong to.

        Args:
            values: What a model or backbone is given, images first.

        Returns:
            The batch, or None if nobody zoomed the images.
        """
        if is_traced():
            return self.batch
        images = next(tensors(values), None)
        if images is None or images.dim() != 4:
            return None
        if images in self._batches:
            return self._batches[images]
        # Wrappers (mixed precision, memory formats) may hand on a copy.
        batch, found = self.batch, _sample(images)
        if (
            batch is None
            or images.shape[2:] != batch.canvas
            or found.shape != self._own.pixels.shape
        ):
            return None
        return batch if torch.equal(found, self._own.pixels.to(found)) else None

    def __deepcopy__(self, memo: dict[int, Any]) -> WarpLink:
        # Warps may carry gradients, which cannot be copied, and belong to a batch, not to a model.
        copied = memo[id(self)] = WarpLink()
        copied.claimed = self.claimed
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {'claimed': self.claimed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()


def is_traced() -> bool:
    """Whether tensors stand for others: in code that is compiled, exported or traced."""
    return is_compiling() or torch.jit.is_tracing()


def _sample(canvas: Tensor) -> Tensor:
    h, w = canvas.shape[-2:]
    return canvas.detach()[..., :: max(h // _SAMPLED, 1), :: max(w // _SAMPLED, 1)]


def _hooks(module: nn.Module) -> Iterator[Any]:
    return iter(module._forward_hooks.values())
