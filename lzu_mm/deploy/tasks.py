"""What a deployed model takes and gives, for each task.

Convention: images are (N, C, H, W) of uint8 in the channel order that the pipeline loads; boxes are
(x1, y1, x2, y2) in pixels of that image.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .looking import max_gap
from .rewrites import static_detector

__all__ = ['Deployed', 'Detector', 'Segmentor', 'match_boxes', 'task_of']

# Detections of models that set no bound.
_MOST = 300


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


class Detector(Deployed):
    """A single-stage detector: ``dets`` (1, K, 5) with scores last, ``labels`` (1, K), -1 if none.

    With temporal saliency it takes ``previous`` (1, K, 5): the ``dets`` of the frame before, zeros
    at first.

    Args:
        model: Of MMDetection.
        size: (h, w) of the image.
        original: See :class:`Deployed`.
    """

    task = 'detect'
    outputs = ('dets', 'labels')
    tolerance = {'boxes (px)': 0.1, 'scores': 1e-3, 'missing': 0}

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model, size, original)
        if self.max_gap is not None:
            self.inputs = ('input', 'previous')
        # Stock YOLOX gives all that it finds.
        self.count: int = model.bbox_head.test_cfg.get('max_per_img') or _MOST

    @property
    def score_threshold(self) -> float | None:
        """See :attr:`Deployed.score_threshold`."""
        return self.model.bbox_head.test_cfg.get('score_thr')

    def static(self) -> AbstractContextManager[None]:
        """See :meth:`Deployed.static`."""
        return static_detector(self.model.bbox_head, self.count)

    def new_sample(self) -> Any:
        """See :meth:`Deployed.new_sample`."""
        from mmdet.structures import DetDataSample

        return DetDataSample()

    def arguments(self, image: Tensor, before: Any = None) -> tuple[Tensor, ...]:
        """See :meth:`Deployed.arguments`."""
        if self.max_gap is None:
            return (image,)
        rows = torch.zeros(self.count, 5)
        if before is not None:
            found = torch.from_numpy(self._rows(before.pred_instances.numpy()))
            rows[: len(found)] = found
        return image, rows[None]

    def forward(self, input: Tensor, previous: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`Deployed.forward`."""
        fields = {} if previous is None else {'previous': previous[0]}
        found = self.predict(input, **fields).pred_instances
        if 'masks' in found:
            raise ValueError('masks of instances are not exported yet')
        empty = found.scores <= 0
        boxes = found.bboxes
        if self.scale != (1, 1):
            boxes = boxes * boxes.new_tensor(self.scale * 2)
        dets = torch.cat((boxes, found.scores[:, None]), dim=1)
        dets = torch.where(empty[:, None], 0.0, dets)
        return dets[None], torch.where(empty, -1, found.labels)[None]

    def differences(self, sample: Any, outputs: dict[str, np.ndarray]) -> dict[str, float]:
        """See :meth:`Deployed.differences`."""
        found = sample.pred_instances.numpy()
        rows = self._rows(found)
        dets, labels = outputs['dets'][0], outputs['labels'][0]
        dets, labels = dets[labels >= 0], labels[labels >= 0]
        return match_boxes(rows, found.labels[: self.count], dets, labels, self.tolerance)

    def _rows(self, found: Any) -> np.ndarray:
        """Boxes on the image and scores of what ``test_step`` found, at most (K, 5)."""
        boxes = found.bboxes * np.array(self.scale * 2, np.float32)
        return np.concatenate((boxes, found.scores[:, None]), axis=1)[: self.count]


class Segmentor(Deployed):
    """A model of semantic segmentation: ``output`` (1, 1, H, W), the label of each pixel."""

    task = 'semantic'
    outputs = ('output',)
    tolerance = {'other labels': 1e-3}

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model, size, original)
        if self.max_gap is not None:
            raise ValueError(
                'TemporalSaliency looks where boxes were found, but segmentors find none: set '
                'zoom.saliency to another'
            )

    def new_sample(self) -> Any:
        """See :meth:`Deployed.new_sample`."""
        from mmseg.structures import SegDataSample

        return SegDataSample(metainfo=dict(pad_shape=self.size))

    def forward(self, input: Tensor) -> Tensor:
        """See :meth:`Deployed.forward`."""
        return self.predict(input).pred_sem_seg.data[None].long()

    def differences(self, sample: Any, outputs: dict[str, np.ndarray]) -> dict[str, float]:
        """See :meth:`Deployed.differences`."""
        labels = sample.pred_sem_seg.data.numpy()
        return {'other labels': float(np.mean(labels != outputs['output'][0]))}


def task_of(model: Any, size: tuple[int, int], original: tuple[int, int] | None = None) -> Deployed:
    """How a model is deployed.

    Args:
        model: Of an MM library.
        size: (h, w) of the image.
        original: See :class:`Deployed`.

    Raises:
        ValueError: If it cannot be exported.
    """
    from .tasks_3d import MonoDetector3D, Smoke

    kinds = [kind.__name__ for kind in type(model).__mro__]
    name = kinds[0]
    if 'SMOKEMono3D' in kinds:
        return Smoke(model, size, original)
    if 'FCOSMono3D' in kinds:
        return MonoDetector3D(model, size, original)
    is_3d = any('3D' in kind for kind in kinds)
    if 'SingleStageDetector' in kinds and hasattr(model, 'bbox_head') and not is_3d:
        return Detector(model, size, original)
    if 'EncoderDecoder' in kinds and 'DepthEstimator' not in kinds:
        if model.test_cfg.get('mode') == 'slide':
            raise ValueError(
                'slide inference cuts an image into as many crops as it holds: set model.test_cfg '
                "to dict(mode='whole') to export"
            )
        return Segmentor(model, size, original)
    raise ValueError(
        f'{name} cannot be exported: only single-stage detectors of MMDetection, segmentors of '
        'MMSegmentation, FCOS3D, PGD and SMOKE can'
    )


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
