"""Zoom and unzoom around the backbone of any torch model; torch is all that this needs."""

from ..saliency.estimation.horizon import horizon_saliency
from .patch import remove_zoom_, zoom_
from .saliency_net import SaliencyNet
from .zoom import Zoom
from .zoomed_backbone import ZoomedBackbone

__all__ = [
    'SaliencyNet',
    'Zoom',
    'ZoomedBackbone',
    'horizon_saliency',
    'remove_zoom_',
    'zoom_',
]
