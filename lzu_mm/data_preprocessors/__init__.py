"""Zoom data preprocessors; that of a library is imported when it is asked for."""

from typing import TYPE_CHECKING

from ..lazy import lazy_exports
from .settings import ZoomSettings
from .unsupported import refuse_unsupported
from .zoom import ZoomMixin

if TYPE_CHECKING:
    from .det import ZoomDetDataPreprocessor
    from .det3d import ZoomDet3DDataPreprocessor
    from .seg import ZoomSegDataPreProcessor

__all__ = [
    'ZoomDet3DDataPreprocessor',
    'ZoomDetDataPreprocessor',
    'ZoomMixin',
    'ZoomSegDataPreProcessor',
    'ZoomSettings',
    'refuse_unsupported',
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        'det': ['ZoomDetDataPreprocessor'],
        'det3d': ['ZoomDet3DDataPreprocessor'],
        'seg': ['ZoomSegDataPreProcessor'],
    },
)
