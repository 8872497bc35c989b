"""Auxiliary heads."""

from .saliency_edge_head import SaliencyEdgeHead

__all__ = ['SaliencyEdgeHead']
