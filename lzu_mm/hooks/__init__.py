"""What happens while a runner runs."""

from .visualization import ZoomVisualizationHook

__all__ = ['ZoomVisualizationHook']
