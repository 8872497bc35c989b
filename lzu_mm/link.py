"""The link by which a zoom data preprocessor hands its warps to the unzoom neck.

Stock detectors hand neither samples nor warps to the neck, so both ends share one object. They meet
when the model is built: ``BaseModel.__init__`` builds the data preprocessor, which makes a link,
before the neck, which claims it. Nothing global is read in forward. A deep copy of a model (EMA)
holds a link of its own, shared by the copies of both ends.
"""

from __future__ import annotations

import inspect
import weakref
from dataclasses import dataclass
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from .warps import Warp


@dataclass
class ZoomedBatch:
    """What the neck must know of the batch that the preprocessor zoomed last.

    Attributes:
        warp: The warps of the N images, or one for all, or None where all are the identity.
        content: (h, w) of each zoomed image on the canvas, in pixels.
        canvas: (H, W) of the padded batch.
        align_corners: Convention of the pixels.
        saliency: What the warps were made from, shape (N, 1, h_S, w_S), or (1, 1, h_S, w_S) for
            all; None as the warp.
        unzoom: Whether features are to be unzoomed, not labels to be warped.
    """

    warp: Warp | None
    content: list[tuple[int, int]]
    canvas: tuple[int, int]
    align_corners: bool
    saliency: Tensor | None = None
    unzoom: bool = True


class WarpLink:
    """A slot for the last zoomed batch, shared by a preprocessor and a neck.

    Attributes:
        batch: The last zoomed batch; None before the first.
        claimed: Whether a neck reads the link.
    """

    def __init__(self) -> None:
        global _newest
        self.batch: ZoomedBatch | None = None
        self.claimed = False
        _newest = weakref.ref(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> WarpLink:
        # Warps may carry gradients, which cannot be copied, and belong to a batch, not to a model.
        copied = memo[id(self)] = WarpLink.__new__(WarpLink)
        copied.batch = None
        copied.claimed = self.claimed
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {'batch': None, 'claimed': self.claimed}


# Read only while a neck is built outside of a model, by hand.
_newest: weakref.ref[WarpLink] | None = None


def claim_link() -> WarpLink:
    """Find the link for a neck that is being built, and note that it is read.

    Returns:
        See :func:`find_link`.

    Raises:
        RuntimeError: If there is no zoom data preprocessor to link with.
    """
    link = find_link('UnzoomNeck', 'remove UnzoomNeck from model.neck')
    link.claimed = True
    return link


def find_link(reader: str, otherwise: str) -> WarpLink:
    """Find the link for a part of a model that is being built.

    Args:
        reader: Name of the part, for the error.
        otherwise: What else to do about the error.

    Returns:
        The link of the data preprocessor of the model under construction. Outside of a model, the
        link of the zoom preprocessor built last, if no other neck has claimed it.

    Raises:
        RuntimeError: If there is no zoom data preprocessor to link with.
    """
    model, _ = model_under_construction()
    if model is not None:
        link = getattr(model.data_preprocessor, 'link', None)
    else:
        link = _newest() if _newest is not None else None
        link = None if link is None or link.claimed else link
    if not isinstance(link, WarpLink):
        raise RuntimeError(
            f'{reader} found no zoom data preprocessor to link with. Set '
            "model.data_preprocessor.type to 'lzu_mm.ZoomDetDataPreprocessor' "
            f'(lzu_mm.ZoomSegDataPreProcessor, lzu_mm.ZoomDet3DDataPreprocessor), or {otherwise}.'
        )
    return link


def model_under_construction() -> tuple[BaseModel | None, dict[str, Any]]:
    """Find the model whose ``__init__`` is running.

    Registries pass no parent to what they build, so that the call stack is the one place where a
    part learns which model it is built for.

    Returns:
        The innermost model under construction and the local variables of its ``__init__``;
        None and an empty dict where there is none.
    """
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get('self')
        if frame.f_code.co_name == '__init__' and isinstance(owner, BaseModel):
            return owner, frame.f_locals
        frame = frame.f_back
    return None, {}
