"""Write the child config that switches the zoom on for a config."""

from .changes import zoom_config
from .source import child_source, difference, settings_of
from .trial import try_model
from .zoomed import Zoomed

__all__ = ['Zoomed', 'child_source', 'difference', 'settings_of', 'try_model', 'zoom_config']
