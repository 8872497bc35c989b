"""The band crop: one rectangle of all images, chosen on the training set.

Objects whose centre lies outside are lost to training, and count as missed at test: predictions
return to the original image before they are evaluated.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import METRICS, TRANSFORMS

from lzu_mm.data_preprocessors.pixels import RULES
from lzu_mm.evaluation import FineCocoMetric

# In pixels of the original image: the zoom leaves it as it is.
RULES['ori_crop_offset'] = None


@TRANSFORMS.register_module()
class CropBox(BaseTransform):
    """Cuts the same box out of every image.

    Boxes whose centre is outside are dropped, the others clipped. The original shape stays noted;
    ``ori_crop_offset`` tells where the box lies in it, and has to be among the ``meta_keys`` of
    ``PackDetInputs`` at test. To come first after loading.

    Args:
        box: (left, top, right, bottom) in pixels of the image.
    """

    def __init__(self, box: Sequence[int]) -> None:
        self.box = tuple(box)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop image and boxes; see ``BaseTransform``."""
        left, top, right, bottom = self.box
        results['img'] = results['img'][top:bottom, left:right]
        results['img_shape'] = results['img'].shape[:2]
        results['ori_crop_offset'] = (left, top)
        if 'gt_bboxes' in results:
            boxes = results['gt_bboxes']
            boxes.translate_([-left, -top])
            centres = boxes.centers
            size = torch.tensor([right - left, bottom - top])
            inside = ((centres >= 0) & (centres < size)).all(1).numpy()
            boxes.clip_(results['img_shape'])
            results['gt_bboxes'] = boxes[inside]
            for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
                if key in results:
                    results[key] = results[key][inside]
        return results


@METRICS.register_module()
class CroppedCocoMetric(FineCocoMetric):
    """COCO's AP in the original image, for predictions in a crop of it."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Move predictions back by ``ori_crop_offset``; see ``CocoMetric``."""
        moved = []
        for sample in data_samples:
            predictions = sample['pred_instances']
            boxes = predictions['bboxes']
            offset = boxes.new_tensor(sample['ori_crop_offset']).repeat(2)
            moved.append({**sample, 'pred_instances': {**predictions, 'bboxes': boxes + offset}})
        super().process(data_batch, moved)


def smallest_box(centres: np.ndarray, share: float) -> tuple[float, float, float, float]:
    """The box of the smallest area that holds a share of some points.

    Args:
        centres: (N, 2), x first.
        share: Of the points, in (0, 1].

    Returns:
        (left, top, right, bottom).
    """
    spare = int(len(centres) * (1 - share) + 1e-9)
    by_x = centres[np.argsort(centres[:, 0], kind='stable')]
    best = (np.inf, (0.0, 0.0, 0.0, 0.0))
    # The best box leaves so many points to its left, to its right, above and below.
    for left in range(spare + 1):
        for right in range(spare + 1 - left):
            column = by_x[left : len(by_x) - right]
            y = np.sort(column[:, 1])
            height = len(y) - (spare - left - right)
            tops, bottoms = y[: len(y) - height + 1], y[height - 1 :]
            top = int(np.argmin(bottoms - tops))
            width = column[-1, 0] - column[0, 0]
            area = width * (bottoms[top] - tops[top])
            box = (column[0, 0], tops[top], column[-1, 0], bottoms[top])
            best = min(best, (area, tuple(map(float, box))))
    return best[1]
