"""What a deployed monocular 3D detector takes and gives.

Convention: boxes are (x, y, z, l, h, w, yaw) in the frame of the camera, the origin at the middle
of their bottom, as ``CameraInstance3DBoxes`` has them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .deployed import Deployed, match_boxes
from .mono3d import SMOKE_PEAKS, SMOKE_SCORE, static_detector_3d

__all__ = ['MonoDetector3D', 'Smoke']


class MonoDetector3D(Deployed):
    """A monocular 3D detector, of one image and ``cam2img`` (1, 4, 4) of its camera.

    It gives ``bboxes_3d`` (1, K, 7) with the origin at the middle of the bottom, ``scores_3d``
    (1, K) and ``labels_3d`` (1, K), -1 if none; ``velocities`` (1, K, 2), ``attributes`` (1, K) and
    ``bboxes`` (1, K, 4) of models that predict them.

    Args:
        model: Of MMDetection3D.
        size: (h, w) of the image.
        original: Not used.
    """

    task = 'detect3d'
    inputs: tuple[str, ...] = ('input', 'cam2img')
    # Of large numbers relative, of small ones absolute.
    tolerance = {'boxes (relative)': 1e-3, 'scores': 1e-3, 'missing': 0}

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model, size, original)
        head = model.bbox_head
        if self.max_gap is not None:
            raise ValueError(
                'TemporalSaliency of 3D detectors is not exported: set zoom.saliency to another'
            )
        self.count: int = head.test_cfg['max_per_img']
        extras = {
            'velocities': getattr(head, 'pred_velo', False),
            'attributes': getattr(head, 'pred_attrs', False),
            'bboxes': getattr(head, 'pred_bbox2d', False),
        }
        predicted = tuple(name for name, is_predicted in extras.items() if is_predicted)
        self.outputs = ('bboxes_3d', 'scores_3d', 'labels_3d', *predicted)

    @property
    def score_threshold(self) -> float | None:
        """See :attr:`Deployed.score_threshold`."""
        return self.model.bbox_head.test_cfg.get('score_thr')

    def static(self) -> AbstractContextManager[None]:
        """See :meth:`Deployed.static`."""
        return static_detector_3d()

    def new_sample(self) -> Any:
        """See :meth:`Deployed.new_sample`."""
        from mmdet3d.structures import CameraInstance3DBoxes, Det3DDataSample

        return Det3DDataSample(metainfo=dict(box_type_3d=CameraInstance3DBoxes))

    def camera(self) -> Tensor:
        """The ``cam2img`` (1, 4, 4) of some camera of such images."""
        h, w = self.size
        camera = torch.eye(4)
        camera[:2, :3] = torch.tensor([[0.8 * w, 0, 0.49 * w], [0, 0.8 * w, 0.52 * h]])
        return camera[None]

    def batch(self, image: Tensor, **fields: Tensor) -> dict[str, Any]:
        """See :meth:`Deployed.batch`; ``cam2img`` (1, 4, 4) may be given."""
        camera = fields.pop('cam2img', None)
        batch = super().batch(image, **fields)
        metainfo = dict(cam2img=self.camera()[0].tolist() if camera is None else camera[0])
        batch['data_samples'][0].set_metainfo(metainfo)
        return {**batch, 'inputs': {'img': batch['inputs']}}

    def arguments(self, image: Tensor, before: Any = None) -> tuple[Tensor, ...]:
        """See :meth:`Deployed.arguments`."""
        return image, self.camera()

    def forward(self, input: Tensor, cam2img: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`Deployed.forward`."""
        return self._forward(input, cam2img=cam2img)

    def _forward(self, image: Tensor, **fields: Tensor) -> tuple[Tensor, ...]:
        found = self._found(self.predict(image, **fields))
        empty = found['scores_3d'] <= 0
        for name, values in found.items():
            nothing = -1 if name in ('labels_3d', 'attributes') else 0
            blank = empty.view(-1, *[1] * (values.dim() - 1))
            found[name] = torch.where(blank, nothing, values)[None]
        return tuple(found[name] for name in self.outputs)

    def _found(self, sample: Any) -> dict[str, Tensor]:
        instances = sample.pred_instances_3d
        boxes = instances.bboxes_3d.tensor
        found = {
            'bboxes_3d': boxes[:, :7],
            'velocities': boxes[:, 7:],
            'scores_3d': instances.scores_3d,
            'labels_3d': instances.labels_3d,
        }
        if 'attributes' in self.outputs:
            found['attributes'] = instances.attr_labels
        if 'bboxes' in self.outputs:
            found['bboxes'] = sample.pred_instances.bboxes
        return {name: found[name] for name in self.outputs}

    def differences(self, sample: Any, outputs: dict[str, np.ndarray]) -> dict[str, float]:
        """See :meth:`Deployed.differences`."""
        expected = {name: value.numpy() for name, value in self._found(sample).items()}
        kept = outputs['labels_3d'][0] >= 0
        given = {name: value[0][kept] for name, value in outputs.items()}
        return match_boxes(
            _rows_3d(expected),
            expected['labels_3d'],
            _rows_3d(given),
            given['labels_3d'],
            self.tolerance,
        )


class Smoke(MonoDetector3D):
    """SMOKE, which takes ``trans_mat`` (1, 3, 3) as well: from the original to the features."""

    inputs = ('input', 'cam2img', 'trans_mat')

    def __init__(
        self, model: Any, size: tuple[int, int], original: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model, size, original)
        self.count = SMOKE_PEAKS

    @property
    def score_threshold(self) -> float | None:
        """See :attr:`Deployed.score_threshold`."""
        return SMOKE_SCORE

    def affine(self) -> Tensor:
        """The ``trans_mat`` (1, 3, 3) of originals of the same size."""
        return torch.diag(torch.tensor([0.25, 0.25, 1]))[None]

    def batch(self, image: Tensor, **fields: Tensor) -> dict[str, Any]:
        """See :meth:`MonoDetector3D.batch`; ``trans_mat`` (1, 3, 3) may be given."""
        affine = fields.pop('trans_mat', None)
        batch = super().batch(image, **fields)
        metainfo = dict(trans_mat=self.affine()[0].numpy() if affine is None else affine[0])
        batch['data_samples'][0].set_metainfo(metainfo)
        return batch

    def arguments(self, image: Tensor, before: Any = None) -> tuple[Tensor, ...]:
        """See :meth:`Deployed.arguments`."""
        return image, self.camera(), self.affine()

    def forward(  # type: ignore[override]
        self, input: Tensor, cam2img: Tensor, trans_mat: Tensor
    ) -> tuple[Tensor, ...]:
        """See :meth:`Deployed.forward`."""
        return self._forward(input, cam2img=cam2img, trans_mat=trans_mat)


def _rows_3d(found: dict[str, np.ndarray]) -> np.ndarray:
    """What belongs to each box, scores last, so that differences of large numbers are relative."""
    yaw = found['bboxes_3d'][:, 6]
    others = [found[name] for name in ('velocities', 'attributes', 'bboxes') if name in found]
    columns = [found['bboxes_3d'][:, :6], np.sin(yaw), np.cos(yaw), *others, found['scores_3d']]
    count = len(yaw)
    rows = np.concatenate([column.reshape(count, -1) for column in columns], axis=1)
    rows[:, :-1] = np.arcsinh(rows[:, :-1])
    return rows
