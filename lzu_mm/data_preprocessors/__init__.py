"""Zoom data preprocessors, for those of the MM libraries that are installed."""

from ..optional import installed
from .settings import ZoomSettings
from .unsupported import refuse_unsupported
from .zoom import ZoomMixin

__all__ = ['ZoomMixin', 'ZoomSettings', 'refuse_unsupported']

if installed('mmdet'):
    from .det import ZoomDetDataPreprocessor

    __all__ += ['ZoomDetDataPreprocessor']
if installed('mmseg'):
    from .seg import ZoomSegDataPreProcessor

    __all__ += ['ZoomSegDataPreProcessor']
if installed('mmdet3d'):
    from .det3d import ZoomDet3DDataPreprocessor

    __all__ += ['ZoomDet3DDataPreprocessor']
