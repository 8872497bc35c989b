"""COCO's average precision in full precision, with finer sizes of objects and per class."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any, Mapping, Sequence

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric
from mmengine.fileio import load
from mmengine.logging import MMLogger
from pycocotools.cocoeval import COCOeval

from ..checks import check_flag, check_number
from ..registry import METRICS

# Sides of a square, in pixels.
_COCO_SIZES = {'': (0, 1e5), 's': (0, 32), 'm': (32, 96), 'l': (96, 1e5)}
_IOU = {'': None, '_50': 0.5, '_75': 0.75}
# An image, of the highest scores, as COCO defines AP.
_MAX_DETECTIONS = 100


@METRICS.register_module()
class FineCocoMetric(CocoMetric):
    """COCO's AP of boxes, unrounded, for finer sizes of objects, in all and for each class.

    The stock metric rounds to three decimals, and COCO's small objects reach 32 pixels. The keys
    are the stock ones: ``bbox_mAP`` and the same with ``_50``, ``_75``, ``_s``, ``_m``, ``_l``;
    then ``bbox_mAP_t`` for tiny objects and, with ``classwise``, ``CLASS_mAP``, ``CLASS_mAP_s`` and
    so on. What the annotations have no object of is left out.

    Args:
        sizes: Further ranges by the suffix of their name: (smallest, largest) root of an object's
            area, in pixels of the original image.
        classwise: AP of each class too.
        **kwargs: As for ``mmdet.CocoMetric``.

    Raises:
        ValueError: If another metric than ``'bbox'`` is asked for, or a range is none.
    """

    # The parent's, whose types mypy does not see.
    _coco_api: COCO
    cat_ids: list[int]
    img_ids: list[int]

    def __init__(
        self,
        *args: Any,
        sizes: Mapping[str, tuple[float, float]] = MappingProxyType({'t': (0, 16)}),
        classwise: bool = True,
        **kwargs: Any,
    ) -> None:
        check_flag('FineCocoMetric.classwise', classwise)
        for name, (low, high) in _ranges(sizes):
            check_number(f'FineCocoMetric.sizes[{name!r}]', low, '[0, inf)', ' pixels')
            check_number(f'FineCocoMetric.sizes[{name!r}]', high, f'({low}, inf)', ' pixels')
        super().__init__(*args, classwise=classwise, **kwargs)
        self.sizes = {**_COCO_SIZES, **sizes}
        if self.metrics != ['bbox'] or self.format_only:
            raise ValueError(
                f"FineCocoMetric evaluates metric='bbox' alone, not {self.metrics} (format_only="
                f'{self.format_only}); use mmdet.CocoMetric for others'
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Evaluate.

        Args:
            results: Pairs of ground truth and prediction of each image.

        Returns:
            AP in [0, 1] by name.
        """
        logger: MMLogger = MMLogger.get_current_instance()
        truths, predictions = zip(*results)
        with tempfile.TemporaryDirectory() as folder:
            prefix = str(Path(folder) / 'results')
            api = self._api(truths, prefix)
            detections = load(self.results2json(predictions, prefix)['bbox'])
        # COCO's code takes no empty list; one box of no size and no score finds nothing either.
        nothing = dict(
            image_id=self.img_ids[0], category_id=self.cat_ids[0], bbox=[0, 0, 0, 0], score=0
        )
        found = self._average_precisions(api, detections or [nothing])
        found = {name: float(ap) for name, ap in found.items() if not np.isnan(ap)}
        logger.info('\n' + '\n'.join(f'{name:24} {100 * ap:6.2f}' for name, ap in found.items()))
        return found

    def _api(self, truths: Sequence[dict], prefix: str) -> COCO:
        if self._coco_api is None:
            self._coco_api = COCO(self.gt_to_coco_json(truths, prefix))
        self.cat_ids = self._coco_api.get_cat_ids(cat_names=self.dataset_meta['classes'])
        self.img_ids = self._coco_api.get_img_ids()
        return self._coco_api

    def _average_precisions(self, api: COCO, detections: list[dict]) -> dict[str, float]:
        evaluation = COCOeval(api, api.loadRes(detections), 'bbox')
        evaluation.params.catIds = self.cat_ids
        evaluation.params.imgIds = self.img_ids
        evaluation.params.iouThrs = self.iou_thrs
        evaluation.params.maxDets = [_MAX_DETECTIONS]
        evaluation.params.areaRng = [[low**2, high**2] for low, high in self.sizes.values()]
        evaluation.params.areaRngLbl = list(self.sizes)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
            evaluation.accumulate()
        # (IoU threshold, recall, class, size)
        precision = evaluation.eval['precision'][..., 0]
        suffixes = [f'_{name}' if name else '' for name in self.sizes]
        found = {}
        for suffix, iou in _IOU.items():
            chosen = slice(None) if iou is None else np.isclose(self.iou_thrs, iou)
            found[f'bbox_mAP{suffix}'] = _mean(precision[chosen, ..., 0])
        for size, suffix in enumerate(suffixes):
            found[f'bbox_mAP{suffix}'] = _mean(precision[..., size])
        for index, name in enumerate(self.dataset_meta['classes'] if self.classwise else ()):
            for size, suffix in enumerate(suffixes):
                found[f'{name}_mAP{suffix}'] = _mean(precision[:, :, index, size])
        return found


def _ranges(sizes: Any) -> list[tuple[str, tuple[Any, Any]]]:
    ranges = list(sizes.items()) if isinstance(sizes, Mapping) else []
    pairs = all(isinstance(r, (tuple, list)) and len(r) == 2 for _, r in ranges)
    if not isinstance(sizes, Mapping) or not pairs:
        raise ValueError(
            f'FineCocoMetric.sizes must be a dict of (smallest, largest), got {sizes!r}'
        )
    return ranges


def _mean(precision: np.ndarray) -> float:
    """Mean precision, as COCO takes it: -1 stands for no such object."""
    known = precision[precision > -1]
    return known.mean() if known.size else np.nan
