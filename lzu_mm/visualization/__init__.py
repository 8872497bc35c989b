"""Pictures of what a zoom does."""

from .images import mean_image, network_image
from .labels import Labels, draw_labels, labels_of_sample
from .panels import compose_panels
from .record import ZoomRecord, ZoomRecorder, record_image, record_zoom
from .saliency import draw_saliency
from .warp import draw_warp, unzoom_image
from .zoom import draw_zoom

__all__ = [
    'Labels',
    'ZoomRecord',
    'ZoomRecorder',
    'compose_panels',
    'draw_labels',
    'draw_saliency',
    'draw_warp',
    'draw_zoom',
    'labels_of_sample',
    'mean_image',
    'network_image',
    'record_image',
    'record_zoom',
    'unzoom_image',
]
