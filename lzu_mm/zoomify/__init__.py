"""Write the child config that switches the zoom on for a config."""

from .changes import zoom_config
from .pipelines import size_before_zoom
from .source import child_source, difference, settings_of
from .trial import try_model
from .zoomed import Zoomed

__all__ = [
    'Zoomed',
    'child_source',
    'difference',
    'settings_of',
    'size_before_zoom',
    'try_model',
    'zoom_config',
]
