"""Where to look.

What estimates and reads maps needs torch and numpy alone; the modules that a data preprocessor asks
need mmengine, and are imported when they are first asked for.
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_exports

if TYPE_CHECKING:
    from .base import BaseSaliency as BaseSaliency
    from .combined import CombinedSaliency as CombinedSaliency
    from .estimation.boundaries import label_boundaries as label_boundaries
    from .files import load_saliency as load_saliency
    from .files import save_saliency as save_saliency
    from .fixed import FixedSaliency as FixedSaliency
    from .horizon import HorizonSaliency as HorizonSaliency
    from .learned import LearnedSaliency as LearnedSaliency
    from .temporal import LearnedKDE as LearnedKDE
    from .temporal import TemporalSaliency as TemporalSaliency
    from .uniform import UniformSaliency as UniformSaliency

_EXPORTS = {
    'base': ['BaseSaliency'],
    'combined': ['CombinedSaliency'],
    'estimation.boundaries': ['label_boundaries'],
    'files': ['load_saliency', 'save_saliency'],
    'fixed': ['FixedSaliency'],
    'horizon': ['HorizonSaliency'],
    'learned': ['LearnedSaliency'],
    'temporal': ['LearnedKDE', 'TemporalSaliency'],
    'uniform': ['UniformSaliency'],
}

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

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
