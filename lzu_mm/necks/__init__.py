"""Necks."""

from .unzoom_neck import UnzoomNeck

__all__ = ['UnzoomNeck']
