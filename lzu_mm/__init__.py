"""Learning to Zoom and Unzoom for MMDetection, MMSegmentation and MMDetection3D.

Importing the package changes nothing and imports neither torch nor any MM library: all else is
imported when it is first asked for. In a config the prefix of a type is asking: mmengine imports
:mod:`lzu_mm.registry` for ``type='lzu_mm.UnzoomNeck'``. ``custom_imports`` beside it
(``dict(imports=['lzu_mm'], allow_failed_imports=False)``) says so where the package is missing.
"""

from typing import TYPE_CHECKING

from .lazy import lazy_exports
from .version import __version__

if TYPE_CHECKING:
    from . import nn as nn
    from . import warps as warps
    from .data_preprocessors import *  # noqa: F403
    from .datasets import *  # noqa: F403
    from .deploy import OnnxModel as OnnxModel
    from .engine import BFloat16OptimWrapper as BFloat16OptimWrapper
    from .engine import CheckpointGuard as CheckpointGuard
    from .engine import ClassGuard as ClassGuard
    from .engine import RandomStatesHook as RandomStatesHook
    from .engine import SafeCheckpointHook as SafeCheckpointHook
    from .evaluation import *  # noqa: F403
    from .heads import *  # noqa: F403
    from .hooks import *  # noqa: F403
    from .necks import *  # noqa: F403
    from .saliency import *  # noqa: F403

_EXPORTS = {
    'data_preprocessors': [
        'ZoomDet3DDataPreprocessor',
        'ZoomDetDataPreprocessor',
        'ZoomMixin',
        'ZoomSegDataPreProcessor',
        'ZoomSettings',
        'refuse_unsupported',
    ],
    'datasets': ['ArgoverseHDDataset', 'CamVidDataset', 'SequenceSampler'],
    'deploy': ['OnnxModel'],
    'engine': [
        'BFloat16OptimWrapper',
        'CheckpointGuard',
        'ClassGuard',
        'RandomStatesHook',
        'SafeCheckpointHook',
    ],
    'evaluation': ['FineCocoMetric', 'StreamingCocoMetric'],
    'heads': ['SaliencyEdgeHead'],
    'hooks': ['ZoomVisualizationHook'],
    'necks': ['UnzoomNeck', 'UnzoomedLevels'],
    'nn': [],
    'saliency': [
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
    ],
    'warps': [],
}

__all__ = ['__version__', *(name for names in _EXPORTS.values() for name in names)]

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
