"""Learning to Zoom and Unzoom for MMDetection, MMSegmentation and MMDetection3D.

Importing the package registers its components under the scope ``lzu_mm``; a config does so with
``custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)``.
"""

from . import data_preprocessors, datasets, heads, hooks, necks, saliency
from .data_preprocessors import *  # noqa: F403
from .datasets import *  # noqa: F403
from .engine import adapt_nuscenes_metric, allow_mmengine_checkpoints
from .heads import *  # noqa: F403
from .hooks import *  # noqa: F403
from .necks import *  # noqa: F403
from .saliency import *  # noqa: F403
from .version import __version__

__all__ = [
    '__version__',
    *data_preprocessors.__all__,
    *datasets.__all__,
    *heads.__all__,
    *hooks.__all__,
    *necks.__all__,
    *saliency.__all__,
]

allow_mmengine_checkpoints()
adapt_nuscenes_metric()
