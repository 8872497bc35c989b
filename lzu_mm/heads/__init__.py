"""Auxiliary heads."""

from ..optional import installed

__all__: list[str] = []

if installed('mmseg'):
    from .saliency_edge_head import SaliencyEdgeHead

    __all__ += ['SaliencyEdgeHead']
