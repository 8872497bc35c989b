"""The nuScenes metric of MMDetection3D on machines without a GPU, and for barely trained models.

Two assumptions of mmdet3d 1.4 and of the nuScenes devkit end an evaluation, and the training that
asked for it: that there is a GPU to merge the cameras of a frame on, and that at least one object
has been detected in the whole set.
"""

from functools import wraps
from typing import Any, Callable
from unittest.mock import patch

import torch

__all__ = ['adapt_nuscenes_metric']


def adapt_nuscenes_metric() -> None:
    """Let `NuScenesMetric` evaluate without a GPU and without detections.

    Without a working mmdet3d nothing happens; calling it again changes nothing. Results are
    the same wherever the stock metric gives any.
    """
    try:
        from mmdet3d.evaluation.metrics import nuscenes_metric
        from nuscenes.eval.detection import evaluate
    except Exception:  # users of the metric will see the reason there; others need not
        return
    if not torch.cuda.is_available():
        _wrap(nuscenes_metric, 'nusc_box_to_cam_box3d', _staying_on_cpu)
    _wrap(evaluate, 'filter_eval_boxes', _passing_no_boxes)


def _wrap(module: Any, name: str, wrapper: Callable[[Callable], Callable]) -> None:
    """Replace a function of a module by its wrapped self, once."""
    function = vars(module)[name]
    if '__wrapped__' not in vars(function):
        setattr(module, name, wraps(function)(wrapper(function)))


def _staying_on_cpu(convert: Callable) -> Callable:
    """Let `Tensor.cuda` do nothing while the function runs."""

    def call(boxes: list) -> Any:
        with patch.object(torch.Tensor, 'cuda', lambda tensor: tensor):
            return convert(boxes)

    return call


def _passing_no_boxes(filter_boxes: Callable) -> Callable:
    """Leave out filtering where there are no boxes, whose class would tell how to filter them."""

    def call(nusc: Any, eval_boxes: Any, *args: Any, **kwargs: Any) -> Any:
        return filter_boxes(nusc, eval_boxes, *args, **kwargs) if eval_boxes.all else eval_boxes

    return call
