"""The edge loss of LDS (Jin et al., Learning to Downsample for Segmentation, ICLR 2022)."""

from __future__ import annotations

from typing import Any, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ..checks import check_number, check_whole
from ..link import WarpLink, backbone_to_follow, find_link
from ..registry import MODELS
from ..saliency import label_boundaries


@MODELS.register_module()
class SaliencyEdgeHead(BaseModule):
    """Teaches a learned saliency where classes meet; an auxiliary head that sees no features.

    The boundaries of the source labels are shrunk to the size of the saliency and blurred; both are
    stretched to [0, 1] and compared by their mean squared error. Needs ``zoom.labels='warped'``,
    which keeps the source labels.

    Args:
        loss_weight: Factor of the loss.
        sigma: Standard deviation of the blur, in saliency cells, in (0, 100].
        ignore_index: The label of pixels without a class.
        link: The ``link`` of the zoom data preprocessor; by default that of the model that the head
            is built for.

    Raises:
        RuntimeError: If the model has no zoom data preprocessor.
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        loss_weight: float = 100.0,
        sigma: float = 1.0,
        ignore_index: int = 255,
        link: WarpLink | None = None,
    ) -> None:
        super().__init__()
        self.loss_weight = check_number('auxiliary_head.loss_weight', loss_weight, '[0, inf)')
        self.sigma = check_number('auxiliary_head.sigma', sigma, '(0, 100]', ' saliency cells')
        self.ignore_index = check_whole('auxiliary_head.ignore_index', ignore_index, '(-inf, inf)')
        self.link = link or find_link(
            'SaliencyEdgeHead', 'remove SaliencyEdgeHead from the auxiliary heads'
        )
        backbone = backbone_to_follow()
        if backbone is not None:
            self.link.follow(backbone)

    def loss(self, inputs: Any, batch_data_samples: Sequence[Any], train_cfg: Any) -> dict:
        """The loss of a batch; 0 if ``zoom.train_prob`` left it out.

        Args:
            inputs: Levels of the backbone, which tell the batch.
            batch_data_samples: Samples with the labels of the source images.
            train_cfg: Not looked at.

        Returns:
            ``loss_edge``.

        Raises:
            ValueError: If there is no saliency to teach, or no source labels to teach from.
        """
        batch = self.link.batch_of(inputs) or self.link.batch
        if batch is not None and batch.skipped:
            return {'loss_edge': torch.zeros((), device=_device(batch_data_samples))}
        saliency = None if batch is None else batch.saliency
        if saliency is None or not saliency.requires_grad:
            raise ValueError(
                'SaliencyEdgeHead teaches a saliency that learns: set zoom.saliency to '
                "dict(type='lzu_mm.LearnedSaliency')"
            )
        if any('source_sem_seg' not in sample for sample in batch_data_samples):
            raise ValueError(
                "SaliencyEdgeHead needs the labels of the source images: set zoom.labels='warped'"
            )
        size = (saliency.shape[2], saliency.shape[3])
        edges = torch.stack(
            [self._edges(sample.source_sem_seg.data, size) for sample in batch_data_samples]
        )
        error = F.mse_loss(_stretch(saliency), _stretch(edges.to(saliency)))
        return {'loss_edge': self.loss_weight * error}

    def _edges(self, labels: Tensor, size: tuple[int, int]) -> Tensor:
        """Blurred boundaries of labels (1, H, W) at the size of the saliency: (1, h_S, w_S)."""
        edges = label_boundaries(labels, self.ignore_index).float()
        return _blur(F.adaptive_avg_pool2d(edges, size), self.sigma)


def _device(samples: Sequence[Any]) -> torch.device:
    return samples[0].gt_sem_seg.data.device


def _blur(image: Tensor, sigma: float) -> Tensor:
    reach = max(int(3 * sigma + 0.5), 1)
    offset = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image[None], (reach,) * 4, mode='replicate')
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[0]


def _stretch(maps: Tensor) -> Tensor:
    """Maps (N, 1, h, w), each to [0, 1]."""
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    # Saliency starts uniform: a range of next to nothing would be stretched, and its gradient too.
    least = 0.1 * maps.detach().mean(dim=(2, 3), keepdim=True) + torch.finfo(maps.dtype).eps
    return (maps - low) / torch.maximum(high - low, least)
