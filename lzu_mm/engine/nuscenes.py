"""The nuScenes metric of MMDetection3D on machines without a GPU."""

from functools import wraps
from typing import Any, Callable
from unittest.mock import patch

import torch

__all__ = ['evaluate_nuscenes_without_gpu']


def evaluate_nuscenes_without_gpu() -> None:
    """Let `NuScenesMetric` merge the cameras of a frame on the CPU; called when lzu_mm is imported.

    mmdet3d 1.4 moves the boxes to a GPU for this, in one function, whatever device the model runs
    on. With a GPU, or without mmdet3d, nothing is changed. Calling it again changes nothing.
    """
    if torch.cuda.is_available():
        return
    try:
        from mmdet3d.evaluation.metrics import nuscenes_metric
    except ImportError:
        return
    convert = nuscenes_metric.nusc_box_to_cam_box3d
    if '__wrapped__' not in vars(convert):
        nuscenes_metric.nusc_box_to_cam_box3d = _staying_on_cpu(convert)


def _staying_on_cpu(function: Callable) -> Callable:
    """Let `Tensor.cuda` do nothing while the function runs."""

    @wraps(function)
    def call(*args: Any) -> Any:
        with patch.object(torch.Tensor, 'cuda', lambda tensor: tensor):
            return function(*args)

    return call
