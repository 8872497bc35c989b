"""Adaptive saliency S_I: look where objects were a frame ago (FOVEA, Thavamani et al., ICCV 2021).

Also the same with learned bandwidth and amplitude, LKDE.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_config, check_flag, check_grid_shape, check_number, check_whole
from ..frames import SourceFrame, source_frames
from ..registry import MODELS
from .base import BaseSaliency, refuse_targets
from .estimation.kde import box_saliency
from .sequences import Detections, SequenceMemory


@MODELS.register_module()
class TemporalSaliency(BaseSaliency):
    """KDE over the detections of the previous frame of the same video.

    At test it feeds itself: the detector writes ``pred_instances`` into the samples that the
    preprocessor handed out. Frames belong together by ``video_id`` and ``frame_id`` in the
    metainfo (see :class:`SequenceMemory`); ground truth is never read. In training it is the same
    frame's ground truth, jittered and thinned out, since the frame before was not seen.

    The first frame of a video, and one whose previous frame had no detections, look where
    ``prior`` does.

    Args:
        grid_shape: (h_S, w_S) of the map.
        bandwidth: b of the KDE in pixels of the original image, above 0.
        amplitude: A of the KDE, at least 0.
        score_thr: Detections below this score are left out.
        weight_by_score: Let a detection weigh as much as its score.
        prior: Config of the saliency module to fall back to; uniform by default.
        jitter: In training, boxes are shifted by up to this many pixels of the original image,
            uniformly, along each axis; FOVEA's 50 are for images 1920 pixels wide.
        drop_prob: In training, probability of leaving out a box, in [0, 1].
        max_gap: Largest step of ``frame_id`` that counts as the next frame, at least 1.

    Raises:
        ValueError: If a setting is out of range.
    """

    follows_videos = True

    def __init__(
        self,
        grid_shape: tuple[int, int] = (31, 51),
        bandwidth: float = 64,
        amplitude: float = 1,
        score_thr: float = 0.3,
        weight_by_score: bool = False,
        prior: Mapping[str, Any] | None = None,
        jitter: float = 50,
        drop_prob: float = 0.1,
        max_gap: int = 1,
    ) -> None:
        super().__init__()
        prior = check_config('saliency.prior', prior or dict(type='UniformSaliency'))
        self.grid_shape = check_grid_shape(grid_shape)
        self.bandwidth = check_number('saliency.bandwidth', bandwidth, '(0, inf)', ' pixels')
        self.amplitude = check_number('saliency.amplitude', amplitude, '[0, inf)')
        self.score_thr = check_number('saliency.score_thr', score_thr, '[0, 1]')
        self.weight_by_score = check_flag('saliency.weight_by_score', weight_by_score)
        self.prior: BaseSaliency = MODELS.build(dict(prior, _scope_='lzu_mm'))
        refuse_targets(self, 'saliency.prior')
        self.jitter = check_number('saliency.jitter', jitter, '[0, inf)', ' pixels')
        self.drop_prob = check_number('saliency.drop_prob', drop_prob, '[0, 1]')
        self.memory = SequenceMemory(check_whole('saliency.max_gap', max_gap, '[1, inf)'))

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        maps = list(resize_saliency(self.prior(images, samples, training), self.grid_shape))
        frames = source_frames(images, samples)
        for i, (boxes, weights) in enumerate(self._objects(samples, frames, training)):
            if len(boxes):
                maps[i] = self.kde(boxes, frames[i].original, weights)[None]
        return torch.stack(maps)

    def remember(self, samples: Sequence[Any], training: bool) -> None:
        """See :meth:`BaseSaliency.remember`."""
        if not training:
            self.memory.store(samples)

    def reset(self) -> None:
        """Forget all videos, as before the first frame of a new one without ``video_id``."""
        self.memory.clear()

    def kde(self, boxes: Tensor, size: tuple[float, float], weights: Tensor | None) -> Tensor:
        """Saliency of boxes.

        Args:
            boxes: (K, 4) in pixels of an image of ``size``.
            size: (h, w).
            weights: (K,) factors of the amplitude, or None.

        Returns:
            Map (h_S, w_S) that sums to 1.
        """
        amplitude = self.amplitude if weights is None else self.amplitude * weights
        return box_saliency(boxes, size, self.grid_shape, self.bandwidth, amplitude)

    def _objects(
        self, samples: Sequence[Any] | None, frames: Sequence[SourceFrame], training: bool
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Boxes to look at in each image, pixels of the original, and their weights."""
        if samples is None or any(sample is None for sample in samples):
            return []
        if training:
            return [
                (self._disturb(frame.boxes_to_original(_tensor(sample.gt_instances.bboxes))), None)
                for sample, frame in zip(samples, frames)
            ]
        for frame in frames:
            frame.known(type(self).__name__)
        before = self.memory.look_back([sample.metainfo for sample in samples], frames)
        return [self._chosen(found) for found in before]

    def _disturb(self, boxes: Tensor) -> Tensor:
        kept = boxes[torch.rand(len(boxes), device=boxes.device) >= self.drop_prob]
        shift = (2 * torch.rand(len(kept), 2, device=boxes.device) - 1) * self.jitter
        return kept + shift.repeat(1, 2)

    def _chosen(self, found: Detections | None) -> tuple[Tensor, Tensor | None]:
        if found is None:
            return torch.empty(0, 4), None
        # NaN is below every threshold.
        kept = (found.scores >= self.score_thr) & found.boxes.isfinite().all(dim=1)
        return found.boxes[kept], found.scores[kept] if self.weight_by_score else None


@MODELS.register_module()
class LearnedKDE(TemporalSaliency):
    """S_I with learned bandwidth b = |1 + θ_b|·64 + 0.1 and amplitude A = |1 + θ_a| + 0.1 (FOVEA).

    Both θ start at 0 and learn through zoom and unzoom. FOVEA multiplies their learning rate by
    0.005 and does not decay them: ``paramwise_cfg=dict(custom_keys={'saliency.theta':
    dict(lr_mult=0.005, decay_mult=0)})``.

    Args:
        bandwidth: b at θ_b = 0, but for the 0.1, in pixels.
        **kwargs: As for :class:`TemporalSaliency`.
    """

    def __init__(self, bandwidth: float = 64, **kwargs: Any) -> None:
        super().__init__(bandwidth=bandwidth, **kwargs)
        self.theta_bandwidth = nn.Parameter(torch.zeros(()))
        self.theta_amplitude = nn.Parameter(torch.zeros(()))

    def kde(self, boxes: Tensor, size: tuple[float, float], weights: Tensor | None) -> Tensor:
        """See :meth:`TemporalSaliency.kde`."""
        bandwidth = (1 + self.theta_bandwidth).abs() * self.bandwidth + 0.1
        amplitude = (1 + self.theta_amplitude).abs() * self.amplitude + 0.1
        if weights is not None:
            amplitude = amplitude * weights
        return box_saliency(boxes, size, self.grid_shape, bandwidth, amplitude)


def resize_saliency(saliency: Tensor, grid_shape: Sequence[int]) -> Tensor:
    """Bring maps to a shape, each summing to 1.

    Args:
        saliency: (N, 1, h, w), non-negative.
        grid_shape: (h_S, w_S).

    Returns:
        (N, 1, h_S, w_S).
    """
    if tuple(saliency.shape[2:]) != tuple(grid_shape):
        saliency = F.interpolate(saliency, tuple(grid_shape), mode='bilinear', align_corners=False)
    total = saliency.sum(dim=(2, 3), keepdim=True)
    return torch.where(total > 0, saliency, 1.0) / torch.where(
        total > 0, total, saliency[0].numel()
    )


def _tensor(boxes: Any) -> Tensor:
    return boxes if isinstance(boxes, Tensor) else boxes.tensor
