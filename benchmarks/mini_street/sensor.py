"""The camera's sensor: from linear light to a picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
from scipy.stats import norm

from .compiled import jit
from .weather import Weather

# The rational fit of a film curve (Narkowicz, "ACES Filmic Tone Mapping Curve", 2015), as a table
# over light up to 6 times white, spaced by its roots, and with the display's gamma.
_GRID = 0.75 * 6.0 * np.linspace(0, 1, 4096) ** 2
_FILM = _GRID * (2.51 * _GRID + 0.03) / (_GRID * (2.43 * _GRID + 0.59) + 0.14)
_FILM = 255 * np.clip(_FILM, 0, 1) ** (1 / 2.2)
_NORMAL = norm.ppf((np.arange(256) + 0.5) / 256)


@jit
def expose(linear, glow, exposure, curve, grain, quantiles, noise, image):
    """Linear RGB light through a lens and a tone curve onto a noisy sensor.

    Args:
        linear: (h, w, 3) float32.
        glow: (h, w, 3) float32 light scattered in the lens, already exposed.
        exposure: factor from light to level 1, white.
        curve: (n,) levels 0..255 for the roots of exposed light / 6.
        grain: (h, w, 3) uint8 random bytes.
        quantiles: (256,) of the standard normal distribution.
        noise: standard deviation at mid grey, as a share of full scale; green's is lower and
            correlated with red's, as after demosaicing.
        image: (h, w, 3) uint8, filled in, BGR.
    """
    height, width, _ = linear.shape
    top = len(curve) - 1
    for row in range(height):
        for col in range(width):
            x, y = (2 * col - width) / width, (2 * row - height) / width
            vignette = exposure * (1 - 0.16 * (x * x + y * y))
            red = quantiles[grain[row, col, 0]]
            for k in range(3):
                light = linear[row, col, k] * vignette + glow[row, col, k]
                level = curve[int(math.sqrt(min(1.0, max(0.0, light / 6.0))) * top)]
                own = quantiles[grain[row, col, k]]
                if k == 1:
                    own = 0.6 * own + 0.3 * red
                level += own * 255 * noise * (0.5 + 0.5 * math.sqrt(level / 128))
                image[row, col, 2 - k] = int(min(255.0, max(0.0, level + 0.5)))


def develop(linear: np.ndarray, weather: Weather, rng: np.random.Generator) -> np.ndarray:
    """From linear light (RGB) to a uint8 BGR picture: blur, bloom, tone curve, sensor noise."""
    height, width = linear.shape[:2]
    linear = cv2.GaussianBlur(linear, (3, 3), 0.45)
    bright = np.maximum(linear - np.float32(1 / weather.exposure), 0)
    small = cv2.resize(bright, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    small = np.minimum(small * np.float32(weather.exposure), 6)
    glow = cv2.resize(0.22 * cv2.GaussianBlur(small, (0, 0), 3.5), (width, height))
    grain = rng.integers(0, 256, (height, width, 3), np.uint8)
    image = np.empty((height, width, 3), np.uint8)
    exposure = float(weather.exposure)
    expose(linear, glow, exposure, _FILM, grain, _NORMAL, float(weather.noise), image)
    return image
