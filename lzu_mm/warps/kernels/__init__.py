"""Kernels in Triton, which is optional: imported by :mod:`lzu_mm.warps.fused` when they run."""
