"""Registries of the scope ``lzu_mm``, children of MMEngine's.

In a config, prefix a type with its scope: ``type='lzu_mm.UnzoomNeck'``. mmengine imports this
module when it meets the prefix, in whatever process, script or worker that is.
"""

from __future__ import annotations

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import Registry

import lzu_mm

__all__ = ['DATASETS', 'DATA_SAMPLERS', 'HOOKS', 'METRICS', 'MODELS', 'OPTIM_WRAPPERS']


class _LazyRegistry(Registry):
    """Imports a component when it is asked for.

    mmengine would import all ``locations`` of a registry at the first question, whatever that is:
    a library that is installed but does not import would break the users of the others.
    """

    def __init__(self, parent: Registry) -> None:
        super().__init__(parent.name, parent=parent, scope='lzu_mm')

    def get(self, key: str) -> type | None:
        """See ``Registry.get``.

        Raises:
            ImportError: If the module of the component, or the library it stands on, does not
                import.
        """
        name = key[len('lzu_mm.') :] if key.startswith('lzu_mm.') else key
        if name in lzu_mm.__all__:
            getattr(lzu_mm, name)  # its module registers it
        return super().get(key)


DATA_SAMPLERS = _LazyRegistry(MMENGINE_DATA_SAMPLERS)
DATASETS = _LazyRegistry(MMENGINE_DATASETS)
HOOKS = _LazyRegistry(MMENGINE_HOOKS)
METRICS = _LazyRegistry(MMENGINE_METRICS)
MODELS = _LazyRegistry(MMENGINE_MODELS)
OPTIM_WRAPPERS = _LazyRegistry(MMENGINE_OPTIM_WRAPPERS)
