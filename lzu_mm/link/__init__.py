"""The link by which a zoom data preprocessor hands its warps to the unzoom neck.

Stock detectors hand neither samples nor warps to the neck, so both ends share a link. It is handed
over (``UnzoomNeck(link=preprocessor.link)``), or found while a registry builds a model.
"""

from .callers import (
    callers,
    in_tensor_mode,
    models_under_construction,
    modules_under_construction,
    running_models,
)
from .find import backbone_to_follow, find_link, link_in, refuse_unused_zoom
from .warp_link import UNSEEN, WarpLink, ZoomedBatch, is_traced

__all__ = [
    'UNSEEN',
    'WarpLink',
    'ZoomedBatch',
    'backbone_to_follow',
    'callers',
    'find_link',
    'in_tensor_mode',
    'is_traced',
    'link_in',
    'models_under_construction',
    'modules_under_construction',
    'refuse_unused_zoom',
    'running_models',
]
