"""The way home: predictions on zoomed images, where the original images have them.

Heads predict in the frame of the image that they are given. What has to be undone in their
predictions is undone in one place, where they leave the model: the samples that ``predict`` returns
are plain stock samples, that may be copied, moved, saved and written to like all others.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Callable, Mapping

from ..link import UNSEEN, WarpLink
from .labels import Size
from .warped import ContentWarp


@dataclass(frozen=True)
class Journey:
    """What the zoom did to an image, for its predictions.

    Attributes:
        source: (h, w) of the source image.
        size: (h, w) of the zoomed image.
        metainfo: Of the sample of the source image.
        warp: By which predictions come back; None if they lie as after a uniform resize.
    """

    source: Size
    size: Size
    metainfo: Mapping[str, Any]
    warp: ContentWarp | None


class WayHome:
    """A model's ``predict``, whose predictions come home.

    It takes the place of the method on the model, so that ``test_step``, ``mode='predict'`` and
    direct calls all pass through it.

    Args:
        link: Of the model's data preprocessor.
        bring_home: The preprocessor's, of one sample.
        predict: The stock method.
    """

    def __init__(
        self,
        link: WarpLink,
        bring_home: Callable[..., Any],
        predict: Callable[..., list[Any]],
    ) -> None:
        self.link = link
        self.bring_home = bring_home
        self.predict = predict

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Predict; arguments and results as of the stock method.

        Raises:
            RuntimeError: If nobody zoomed the images.
        """
        signature = inspect.signature(self.predict)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        batch = self.link.batch_of_images(list(given.arguments.values()))
        if batch is None:
            raise RuntimeError(UNSEEN.format(reader='The way home'))
        samples = self.predict(*args, **kwargs)
        if not batch.journeys:
            return samples
        rescale = given.arguments.get('rescale', True)
        model = self.predict.__self__  # type: ignore[attr-defined]
        return [
            self.bring_home(sample, journey, rescale, model)
            for sample, journey in zip(samples, batch.journeys)
        ]

    @property
    def __wrapped__(self) -> Callable[..., list[Any]]:
        return self.predict
