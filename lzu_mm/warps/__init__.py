"""The geometry of zooming and unzooming: pure torch, free of any MM library."""

from .base import Warp
from .bilinear import BilinearWarp
from .build import saliency_to_warp
from .cells import infer_stride
from .sampling import unzoom_feature, zoom_image
from .separable import SeparableWarp

__all__ = [
    'BilinearWarp',
    'SeparableWarp',
    'Warp',
    'infer_stride',
    'saliency_to_warp',
    'unzoom_feature',
    'zoom_image',
]
