"""Registries of the scope ``lzu_mm``, children of MMEngine's.

In a config, prefix a type with its scope: ``type='lzu_mm.UnzoomNeck'``.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

__all__ = ['DATASETS', 'DATA_SAMPLERS', 'HOOKS', 'MODELS']

DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope='lzu_mm', locations=['lzu_mm.datasets']
)
DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope='lzu_mm', locations=['lzu_mm.datasets']
)
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='lzu_mm', locations=['lzu_mm.hooks'])
MODELS = Registry('model', parent=MMENGINE_MODELS, scope='lzu_mm', locations=['lzu_mm'])
