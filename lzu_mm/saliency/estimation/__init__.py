"""Saliency estimated from data: boxes, label boundaries, whole datasets."""
