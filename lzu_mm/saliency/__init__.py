"""Where to look."""

from .base import BaseSaliency
from .files import load_saliency, save_saliency
from .fixed import FixedSaliency
from .uniform import UniformSaliency

__all__ = [
    'BaseSaliency',
    'FixedSaliency',
    'UniformSaliency',
    'load_saliency',
    'save_saliency',
]
