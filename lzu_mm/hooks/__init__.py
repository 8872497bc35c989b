"""Hooks for the runner."""

from .visualization import ZoomVisualizationHook

__all__ = ['ZoomVisualizationHook']
