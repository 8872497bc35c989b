"""A map without data, for a mounted camera: what is far away lies near the horizon."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Sequence, cast

import torch
from torch import Tensor

from ..frames import SourceFrame
from ..registry import MODELS
from .estimation.horizon import check_share, horizon_row, horizon_saliency
from .whole_image import WholeImageSaliency

__all__ = ['HorizonSaliency']


@MODELS.register_module()
class HorizonSaliency(WholeImageSaliency):
    """Looks at the horizon, and less and less below and above it.

    Where the horizon lies is said by ``row``; by ``pitch`` and ``focal``; or by ``pitch`` alone,
    with each image's intrinsics read from ``cam2img`` of its metainfo, as monocular 3D detection
    has it. The map follows the image's flip, and a cropped image is refused.

    Args:
        row: Row of the horizon, a share of the image's height in (0, 1) from the top.
        pitch: How far the camera looks down, in degrees; 0 looks at the horizon.
        focal: Vertical focal length over the image's height; with ``pitch``.
        centre: Row of the principal point, a share of the height; with ``focal``.
        **kwargs: How saliency falls off, and the shape of the map: as for
            :func:`horizon_saliency`.

    Raises:
        ValueError: If a setting is out of range, or not exactly one of ``row`` and ``pitch`` is
            given.
    """

    def __init__(
        self,
        row: float | None = None,
        pitch: float | None = None,
        focal: float | None = None,
        centre: float = 0.5,
        **kwargs: Any,
    ) -> None:
        row = _fixed_row(row, pitch, focal, centre)
        look: Callable[[float], Tensor] = partial(horizon_saliency, **kwargs)
        # Where the row is known per image only, the map of the middle stands in.
        super().__init__(look(0.5 if row is None else row))
        self.row, self.pitch, self.look = row, pitch, look

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        if self.row is not None:
            return super().forward(images, samples, training)
        maps = [
            frame.map_to_content(self.look(self._row_of(sample, frame)))
            for sample, frame in zip(samples or [None] * len(images), self.frames(images, samples))
        ]
        return torch.stack(maps)[:, None].to(images[0].device)

    def shared(
        self, images: list[Tensor], samples: Sequence[Any] | None
    ) -> tuple[Tensor, tuple[int, ...]] | None:
        """See :meth:`BaseSaliency.shared`."""
        return None if self.row is None else super().shared(images, samples)

    def _row_of(self, sample: Any, frame: SourceFrame) -> float:
        cam2img = None if sample is None else sample.metainfo.get('cam2img')
        if cam2img is None:
            raise ValueError(
                "HorizonSaliency with saliency.pitch alone reads 'cam2img' of the samples' "
                'metainfo, which these have not: set saliency.focal as well, or saliency.row'
            )
        # Heads that project with cam2img alone need that of the source (Resize3D sees to it).
        height = frame.original[0] if frame.camera_of_original else frame.content[0]
        focal, centre = float(cam2img[1][1]) / height, float(cam2img[1][2]) / height
        if not 0 < centre < 1:
            raise ValueError(
                f"the principal point of cam2img lies at row {centre:.3g} of the image's height: "
                'cam2img is of an image of another size. Resize with Resize3D in the pipeline, '
                'which takes cam2img along, or set saliency.focal and saliency.centre'
            )
        return horizon_row(cast(float, self.pitch), focal, centre)


def _fixed_row(
    row: float | None, pitch: float | None, focal: float | None, centre: float
) -> float | None:
    """The row that the settings say; None if each image has its own."""
    if (row is None) == (pitch is None) or (pitch is None and focal is not None):
        raise ValueError(
            'HorizonSaliency takes either saliency.row, or saliency.pitch with saliency.focal, or '
            'saliency.pitch alone where samples have cam2img: got '
            f'row={row}, pitch={pitch}, focal={focal}'
        )
    if pitch is None:
        check_share('row', row)
        return row
    if focal is None:
        horizon_row(pitch, 1.0, centre)  # an impossible pitch is refused now, not in training
        return None
    row = horizon_row(pitch, focal, centre)
    if not 0 < row < 1:
        raise ValueError(
            f'saliency.pitch={pitch}, focal={focal} and centre={centre} put the horizon at row '
            f"{row:.3g}, outside of the image's (0, 1): focal and centre are shares of its height"
        )
    return row
