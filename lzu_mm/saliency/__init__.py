"""Where to look."""

from .base import BaseSaliency
from .combined import CombinedSaliency
from .estimation.boundaries import label_boundaries
from .files import load_saliency, save_saliency
from .fixed import FixedSaliency
from .horizon import HorizonSaliency
from .learned import LearnedSaliency
from .temporal import LearnedKDE, TemporalSaliency
from .uniform import UniformSaliency

__all__ = [
    'BaseSaliency',
    'CombinedSaliency',
    'FixedSaliency',
    'HorizonSaliency',
    'LearnedKDE',
    'LearnedSaliency',
    'TemporalSaliency',
    'UniformSaliency',
    'label_boundaries',
    'load_saliency',
    'save_saliency',
]
