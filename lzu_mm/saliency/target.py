"""What a learned saliency is taught by: the labels of the image that it looks at.

The task's loss alone moves a map from uniform slowly, if at all. SALISA (Ehteshami Bejnordi et al.,
ECCV 2022) supervises the zoom; here the map s, a distribution over the cells, is compared with that
of the labels, t, by KL(t || s) = sum t log(t / s), whose gradient with respect to the logits of a
softmax is s - t. The target is the KDE of the image's own boxes, or the boundaries of its classes.

While the target teaches, the task's loss does not reach the map: its gradient through a strong warp
is hundreds of times larger, and mostly noise. It takes over afterwards, if the training is longer.
"""

from __future__ import annotations

from typing import Any, Sequence

import torch
from mmengine.logging import MessageHub
from torch import Tensor

from ..checks import check_choice, check_number, check_whole
from ..frames import SourceFrame
from .estimation.boundaries import boundary_saliency
from .estimation.kde import box_saliency


class SaliencyTarget:
    """Compares maps with the labels of their images.

    Args:
        kind: ``'boxes'`` or ``'boundaries'`` (of ``gt_sem_seg``).
        loss_weight: Factor of the loss, at least 0.
        until: Share of the training in which the target teaches, in (0, 1]; the task's loss teaches
            in the rest.
        bandwidth: b of the KDE in pixels of the original image, above 0.
        ignore_index: The label of pixels without a class.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        kind: str = 'boxes',
        loss_weight: float = 1.0,
        until: float = 1.0,
        bandwidth: float = 64,
        ignore_index: int = 255,
    ) -> None:
        self.kind = check_choice('saliency.target.kind', kind, ('boxes', 'boundaries'))
        self.loss_weight = check_number('saliency.target.loss_weight', loss_weight, '[0, inf)')
        self.until = check_number('saliency.target.until', until, '(0, 1]')
        self.bandwidth = check_number('saliency.target.bandwidth', bandwidth, '(0, inf)', ' pixels')
        self.ignore_index = check_whole('saliency.target.ignore_index', ignore_index, '(-inf, inf)')

    def loss(
        self, saliency: Tensor, frames: Sequence[SourceFrame], samples: Sequence[Any] | None
    ) -> Tensor:
        """The weighted divergence of a batch of maps from its labels, averaged over the images.

        Args:
            saliency: Maps of the contents, (N, 1, h_S, w_S), each summing to 1.
            frames: Of the images.
            samples: Their data samples, in the coordinates of the source images.

        Raises:
            ValueError: If there are no labels of the kind.
        """
        shape = (saliency.shape[2], saliency.shape[3])
        with torch.no_grad():
            targets = torch.stack(
                [
                    self._target(sample, frame, shape)
                    for sample, frame in zip(samples or [None] * len(frames), frames)
                ]
            )[:, None].to(saliency)
        # xlogy is 0 where the target is; no cell of a map is quite 0.
        given = saliency.clamp(min=torch.finfo(saliency.dtype).tiny).log()
        divergence = (torch.xlogy(targets, targets) - targets * given).sum(dim=(1, 2, 3))
        return self.loss_weight * divergence.mean()

    def teaches(self) -> bool:
        """Whether maps learn from their targets at this step of the training."""
        hub = MessageHub.get_current_instance()
        end = hub.get_info('max_iters')
        return not end or hub.get_info('iter', 0) < self.until * end

    def _target(self, sample: Any, frame: SourceFrame, shape: tuple[int, int]) -> Tensor:
        """The distribution of an image's labels, (h_S, w_S)."""
        labels = 'gt_instances' if self.kind == 'boxes' else 'gt_sem_seg'
        if sample is None or labels not in sample:
            raise ValueError(
                f'saliency.target.kind={self.kind!r} needs {labels}, which {frame.name} lacks: '
                "set saliency.target.kind to 'boxes' (detection) or 'boundaries' (segmentation), "
                'or load the annotations in train_pipeline'
            )
        if self.kind == 'boundaries':
            h, w = frame.content
            return boundary_saliency(sample.gt_sem_seg.data[0, :h, :w], shape, self.ignore_index)
        boxes = sample.gt_instances.bboxes
        boxes = frame.boxes_to_original(boxes if isinstance(boxes, Tensor) else boxes.tensor)
        return box_saliency(boxes, frame.original, shape, self.bandwidth)
