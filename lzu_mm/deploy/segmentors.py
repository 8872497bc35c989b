"""What a deployed segmentor takes and gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from .deployed import Deployed

__all__ = ['Segmentor']


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
