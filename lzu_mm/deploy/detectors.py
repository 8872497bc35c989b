"""What a deployed 2D detector takes and gives.

Convention: see :mod:`lzu_mm.deploy.deployed`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import Any, Iterator

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .deployed import Deployed, match_boxes
from .masks import lay_masks, static_masks
from .regions import check_two_stage, static_two_stage
from .rewrites import static_detector
from .transformers import static_transformer

__all__ = ['DenseDetector', 'Detector', 'MaskDetector', 'QueryDetector', 'TwoStageDetector']

# Detections of models that set no bound.
_MOST = 300
_WITH_QUERIES = ('DETR', 'ConditionalDETR', 'DABDETR', 'DeformableDETR', 'DINO')


class Detector(Deployed):
    """A 2D detector: ``dets`` (1, K, 5) with scores last, ``labels`` (1, K), -1 if none.

    With temporal saliency it takes ``previous`` (1, K, 5): the ``dets`` of the frame before, zeros
    at first.

    Args:
        model: Of MMDetection.
        size: (h, w) of the image.
        original: See :class:`Deployed`.
    """

    task = 'detect'
    outputs: tuple[str, ...] = ('dets', 'labels')
    tolerance = {'boxes (px)': 0.1, 'scores': 1e-3, 'missing': 0}

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model, size, original)
        if self.max_gap is not None:
            self.inputs = ('input', 'previous')
        # Stock YOLOX gives all that it finds.
        count = self.test_cfg.get('max_per_img') or -1
        self.count: int = count if count > 0 else self.most

    @property
    def test_cfg(self) -> Any:
        """By what the model chooses its detections."""
        return self.model.bbox_head.test_cfg

    @property
    def most(self) -> int:
        """Number of detections where :attr:`test_cfg` sets no bound."""
        return _MOST

    @property
    def score_threshold(self) -> float | None:
        """See :attr:`Deployed.score_threshold`."""
        return self.test_cfg.get('score_thr')

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

    def forward(self, input: Tensor, previous: Tensor | None = None) -> tuple[Tensor, ...]:
        """See :meth:`Deployed.forward`."""
        fields = {} if previous is None else {'previous': previous[0]}
        found = self.predict(input, **fields).pred_instances
        if ('masks' in found) != ('masks' in self.outputs):
            raise ValueError(f'masks of {type(self.model).__name__} are not exported')
        empty = found.scores <= 0
        boxes = found.bboxes
        if self.scale != (1, 1):
            boxes = boxes * boxes.new_tensor(self.scale * 2)
        dets = torch.cat((boxes, found.scores[:, None]), dim=1)
        dets = torch.where(empty[:, None], 0.0, dets)
        masks = (found.masks[None],) if 'masks' in found else ()
        return (dets[None], torch.where(empty, -1, found.labels)[None], *masks)

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


class DenseDetector(Detector):
    """A single-stage detector whose head predicts at every prior."""

    def static(self) -> AbstractContextManager[None]:
        """See :meth:`Deployed.static`."""
        head = self.model.bbox_head
        return static_detector(head, self.count, head.num_classes)


class QueryDetector(Detector):
    """DETR or one of its kin, which have a detection for each query and suppress none."""

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        if type(model).__name__ not in _WITH_QUERIES:
            raise ValueError(
                f'{type(model).__name__} cannot be exported: of detectors with queries only '
                f'{", ".join(_WITH_QUERIES)} can. Others suppress queries before they decode them, '
                'or read text'
            )
        super().__init__(model, size, original)

    @property
    def most(self) -> int:
        """See :attr:`Detector.most`."""
        return self.model.num_queries

    def static(self) -> AbstractContextManager[None]:
        """See :meth:`Deployed.static`."""
        return static_transformer()


class TwoStageDetector(Detector):
    """Faster R-CNN or Cascade R-CNN."""

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        check_two_stage(model)
        super().__init__(model, size, original)

    @property
    def test_cfg(self) -> Any:
        """See :attr:`Detector.test_cfg`."""
        return self.model.roi_head.test_cfg

    @contextmanager
    def static(self) -> Iterator[None]:
        """See :meth:`Deployed.static`."""
        with static_two_stage(self.model, self.count), static_masks():
            yield


class MaskDetector(TwoStageDetector):
    """Mask R-CNN: also ``masks`` (1, K, h, w), the probabilities in each box."""

    task = 'segment'
    outputs = ('dets', 'labels', 'masks')
    tolerance = {**Detector.tolerance, 'mask pixels': 1e-3}

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model, size, original)
        zoom = getattr(model.data_preprocessor, 'zoom', None)
        if zoom is not None and zoom.labels == 'warped':
            raise ValueError(
                "with zoom.labels='warped' each mask has to be warped home from the zoomed image, "
                "which is not exported: set zoom.labels='resized'"
            )

    @property
    def mask_threshold(self) -> float:
        """See :attr:`Deployed.mask_threshold`."""
        return self.test_cfg.mask_thr_binary

    def differences(self, sample: Any, outputs: dict[str, np.ndarray]) -> dict[str, float]:
        """See :meth:`Deployed.differences`; of ``mask pixels`` the share that differ."""
        found = sample.pred_instances.numpy()
        kept = outputs['labels'][0] >= 0
        dets, labels, masks = (outputs[name][0][kept] for name in self.outputs)
        rows = self._rows(found)
        apart = np.abs(rows[:, None] - dets).max(axis=2, initial=0)
        apart[found.labels[: self.count, None] != labels] = np.inf
        same = np.flatnonzero(apart.min(axis=1, initial=np.inf) <= self.tolerance['boxes (px)'])
        metainfo = dict(ori_shape=self.original, scale_factor=self.scale)
        laid = lay_masks(masks, _instances(dets, labels), metainfo, self.mask_threshold).masks
        expected = found.masks[same]
        other = np.sum(expected != laid.numpy()[apart[same].argmin(axis=1)])
        share = other / max(expected.sum(), 1)
        return {**super().differences(sample, outputs), 'mask pixels': float(share)}


def _instances(dets: np.ndarray, labels: np.ndarray) -> InstanceData:
    return InstanceData(bboxes=torch.tensor(dets[:, :4]), labels=torch.from_numpy(labels))
