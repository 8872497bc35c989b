"""Necks."""

from .levels import UnzoomedLevels
from .unzoom_neck import UnzoomNeck

__all__ = ['UnzoomNeck', 'UnzoomedLevels']
