"""The geometry of zooming and unzooming: pure torch, free of any MM library."""

from .base import Warp
from .bilinear import BilinearWarp
from .cells import infer_stride
from .from_saliency import saliency_to_warp
from .separable import SeparableWarp, identity_warp
from .unzoom import unzoom_feature
from .zoom import zoom_image

__all__ = [
    'BilinearWarp',
    'SeparableWarp',
    'Warp',
    'identity_warp',
    'infer_stride',
    'saliency_to_warp',
    'unzoom_feature',
    'zoom_image',
]
