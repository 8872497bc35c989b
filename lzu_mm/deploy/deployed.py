"""What a deployed model takes and gives, whatever its task.

Convention: images are (N, C, H, W) of uint8 in the channel order that the pipeline loads; boxes are
(x1, y1, x2, y2) in pixels of that image.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from torch import Tensor, nn

from .looking import max_gap

__all__ = ['Deployed', 'match_boxes']


class Deployed(nn.Module):
    """A model that takes one image of a known size, without its labels.

    Args:
        model: Of an MM library; preprocesses and predicts as ``test_step`` does.
        size: (h, w) of the image.
        original: (h, w) of the original that the image was resized from, in whose pixels temporal
            saliency reckons; ``size`` by default.

    Attributes:
        task: What metadata call it.
        inputs: Names of what ``forward`` takes.
        outputs: Names of what ``forward`` gives.
        max_gap: The largest step between frames that counts as the next; None where no frame
            depends on those before.
        tolerance: Largest difference to ``test_step`` of each kind that passes as rounding.
    """

    task: str
    inputs: tuple[str, ...] = ('input',)
    outputs: tuple[str, ...]
    tolerance: dict[str, float]

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.original = original or size
        self.max_gap = max_gap(model)
        if original is not None and self.max_gap is None:
            raise ValueError(
                'original is for TemporalSaliency, which this model does not have: leave it out'
            )

    @property
    def score_threshold(self) -> float | None:
        """The score that results must have; None if they have none."""
        return None

    @property
    def mask_threshold(self) -> float | None:
        """The probability that pixels of an instance must have; None if it has no masks."""
        return None

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the image per pixel of the original, (x, y)."""
        return self.size[1] / self.original[1], self.size[0] / self.original[0]

    def batch(self, image: Tensor, **fields: Tensor) -> dict[str, Any]:
        """A batch of one image (1, C, H, W), as a dataloader gives it.

        Args:
            image: The image.
            **fields: What the sample brings besides.
        """
        sample = self.new_sample()
        sample.set_metainfo(
            dict(img_shape=self.size, ori_shape=self.original, scale_factor=self.scale, flip=False)
        )
        for name, field in fields.items():
            sample.set_field(field, name)
        return {'inputs': [image[0]], 'data_samples': [sample]}

    def predict(self, image: Tensor, **fields: Tensor) -> Any:
        """The sample that ``test_step`` gives for an image; arguments as for :meth:`batch`."""
        return self.model.test_step(self.batch(image, **fields))[0]

    def arguments(self, image: Tensor, before: Any = None) -> tuple[Tensor, ...]:
        """What the file takes for an image, the :attr:`inputs`.

        Args:
            image: (1, C, H, W).
            before: What ``test_step`` gave for the frame before, if there was one.
        """
        return (image,)

    def static(self) -> AbstractContextManager[None]:
        """While this is entered, what the model gives has a fixed shape."""
        return nullcontext()

    def new_sample(self) -> Any:
        """An empty data sample."""
        raise NotImplementedError

    def forward(self, input: Tensor, *others: Any) -> Any:
        """Predict.

        Args:
            input: (1, C, H, W), uint8.
            *others: What else :attr:`inputs` name.

        Returns:
            What :attr:`outputs` name.
        """
        raise NotImplementedError

    def differences(self, sample: Any, outputs: dict[str, np.ndarray]) -> dict[str, float]:
        """How far outputs are from what ``test_step`` gives.

        Args:
            sample: The prediction of ``test_step``.
            outputs: By name.

        Returns:
            The largest difference of each kind.
        """
        raise NotImplementedError


def match_boxes(
    rows: np.ndarray,
    labels: np.ndarray,
    other: np.ndarray,
    other_labels: np.ndarray,
    tolerance: dict[str, float],
) -> dict[str, float]:
    """Compare two lists of boxes, scores last, that may differ in their order.

    Boxes without a counterpart count as missing, unless they are as good as the worst that is kept:
    which of these comes last, and is cut off, is a matter of rounding.
    """
    kind, score_limit = next(iter(tolerance)), tolerance['scores']
    box_limit = tolerance[kind]
    cut = min([*rows[:, -1], *other[:, -1]], default=0.0) + score_limit
    free = np.ones(len(other), dtype=bool)
    boxes, scores, missing = 0.0, 0.0, 0
    for row, label in zip(rows, labels):
        apart = np.abs(other[:, :-1] - row[:-1]).max(axis=1, initial=0)
        apart_scores = np.abs(other[:, -1] - row[-1])
        fits = free & (other_labels == label) & (apart <= box_limit) & (apart_scores <= score_limit)
        if not fits.any():
            missing += row[-1] > cut
            continue
        best = np.where(fits, apart, np.inf).argmin()
        free[best] = False
        boxes, scores = max(boxes, apart[best]), max(scores, apart_scores[best])
    missing += int((other[free, -1] > cut).sum())
    return {kind: float(boxes), 'scores': float(scores), 'missing': float(missing)}
