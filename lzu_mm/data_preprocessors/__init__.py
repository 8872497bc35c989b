"""Zoom data preprocessors, for those of the MM libraries that are installed."""

from importlib.util import find_spec

from .settings import ZoomSettings
from .zoom import ZoomMixin

__all__ = ['ZoomMixin', 'ZoomSettings']

if find_spec('mmdet') is not None:
    from .det import ZoomDetDataPreprocessor

    __all__ += ['ZoomDetDataPreprocessor']
if find_spec('mmseg') is not None:
    from .seg import ZoomSegDataPreProcessor

    __all__ += ['ZoomSegDataPreProcessor']
if find_spec('mmdet3d') is not None:
    from .det3d import ZoomDet3DDataPreprocessor

    __all__ += ['ZoomDet3DDataPreprocessor']
