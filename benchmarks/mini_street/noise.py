"""Hashes, value noise and box-filtered patterns: the ingredients of the procedural textures.

A pattern is averaged over the pixel's footprint `f` (in the pattern's own units) in closed form, so
that far textures fade to their mean instead of flickering.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import inline


@inline
def hash2(ix: int, iy: int, seed: int) -> float:
    """A pseudo-random number in [0, 1) for an integer cell."""
    n = np.uint32(ix) * np.uint32(374761393) + np.uint32(iy) * np.uint32(668265263)
    n = np.uint32(n + np.uint32(seed) * np.uint32(2246822519))
    n = np.uint32((n ^ (n >> np.uint32(13))) * np.uint32(1274126177))
    n = np.uint32((n ^ (n >> np.uint32(16))) * np.uint32(2654435761))
    return np.uint32(n ^ (n >> np.uint32(15))) * 2.3283064e-10


@inline
def value_noise(x: float, y: float, seed: int) -> float:
    """Smoothly interpolated lattice noise, mean 0.5, one cell per unit."""
    fx, fy = math.floor(x), math.floor(y)
    ix, iy = int(fx), int(fy)
    x, y = x - fx, y - fy
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    top = hash2(ix, iy, seed) * (1 - x) + hash2(ix + 1, iy, seed) * x
    bottom = hash2(ix, iy + 1, seed) * (1 - x) + hash2(ix + 1, iy + 1, seed) * x
    return top * (1 - y) + bottom * y


@inline
def faded_noise(x: float, y: float, f: float, seed: int) -> float:
    """`value_noise` that fades to its mean as the footprint nears a cell."""
    keep = 1.2 - 1.2 * f
    if keep <= 0:
        return 0.5
    return 0.5 + (value_noise(x, y, seed) - 0.5) * min(1.0, keep)


@inline
def fbm(x: float, y: float, octaves: int, f: float, seed: int) -> float:
    """Fractal noise: octaves of halving amplitude, mean 0.5."""
    total, amplitude, norm = 0.0, 1.0, 0.0
    for i in range(octaves):
        total += amplitude * faded_noise(x, y, f, seed + i)
        norm += amplitude
        amplitude *= 0.5
        x, y, f = 2.03 * x + 17.1, 2.03 * y + 3.7, 2.03 * f
    return total / norm


@inline
def band(x: float, a: float, b: float, f: float) -> float:
    """Share of the footprint around x that lies in [a, b]."""
    f = max(f, 1e-4)
    return max(0.0, min(1.0, (min(x + f / 2, b) - max(x - f / 2, a)) / f))


@inline
def _bars_integral(x: float, period: float, width: float) -> float:
    k = math.floor(x / period)
    return k * width + min(x - k * period, width)


@inline
def bars(x: float, period: float, width: float, f: float) -> float:
    """Share of the footprint covered by bars [k*period, k*period + width]."""
    f = max(f, 1e-4)
    return (_bars_integral(x + f / 2, period, width) - _bars_integral(x - f / 2, period, width)) / f


@inline
def disc(r: float, radius: float, f: float) -> float:
    """Coverage of a disc, seen at distance r from its centre."""
    return max(0.0, min(1.0, (radius - r) / max(f, 1e-4) + 0.5))
