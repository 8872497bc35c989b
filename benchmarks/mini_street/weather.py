"""Light of the day: sun, sky, clouds, haze, lamps, exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import shading as S

KINDS = ('sunny', 'overcast', 'low sun', 'dusk')


@dataclass(frozen=True)
class Weather:
    """A kind of light.

    Attributes:
        kind: one of `KINDS`.
        light: (LIGHT_SIZE,) the vector that the shader reads.
        exposure: factor from linear light to the sensor.
        noise: sensor noise, as a share of full scale at mid grey.
    """

    kind: str
    light: np.ndarray
    exposure: float
    noise: float


_SUN = {
    'sunny': (3.1, 2.85, 2.45),
    'overcast': (0.0, 0.0, 0.0),
    'low sun': (2.9, 1.95, 1.1),
    'dusk': (0.0, 0.0, 0.0),
}
_ZENITH = {
    'sunny': (0.16, 0.33, 0.78),
    'overcast': (0.62, 0.67, 0.74),
    'low sun': (0.20, 0.32, 0.60),
    'dusk': (0.035, 0.055, 0.13),
}
_HORIZON = {
    'sunny': (0.62, 0.78, 1.0),
    'overcast': (0.95, 0.97, 1.0),
    'low sun': (1.0, 0.78, 0.58),
    'dusk': (0.30, 0.19, 0.15),
}


def draw(rng: np.random.Generator, kind: str | None = None) -> Weather:
    """Choose the light of a scene at random, of a given kind or of any."""
    if kind is None:
        kind = str(rng.choice(KINDS, p=[0.45, 0.27, 0.16, 0.12]))
    elevation = np.radians(
        {'sunny': rng.uniform(28, 62), 'low sun': rng.uniform(11, 20)}.get(kind, 40.0)
    )
    azimuth = rng.uniform(0, 2 * np.pi)
    light = np.zeros(S.LIGHT_SIZE)
    light[[S.SUN_X, S.SUN_Y, S.SUN_Z]] = (
        np.cos(elevation) * np.cos(azimuth),
        np.cos(elevation) * np.sin(azimuth),
        np.sin(elevation),
    )
    tint = rng.uniform(0.92, 1.08, 3)
    light[S.SUN_R : S.SUN_B + 1] = np.multiply(_SUN[kind], rng.uniform(0.8, 1.15))
    light[S.ZENITH_R : S.ZENITH_B + 1] = np.multiply(_ZENITH[kind], tint)
    light[S.HORIZON_R : S.HORIZON_B + 1] = np.multiply(_HORIZON[kind], tint)
    light[S.CLOUDS] = {
        'sunny': rng.uniform(0.0, 0.75),
        'overcast': 1.1,
        'low sun': rng.uniform(0.2, 0.8),
        'dusk': rng.uniform(0.2, 0.9),
    }[kind]
    light[S.CLOUD_SCALE] = rng.uniform(0.5, 1.0)
    light[S.HAZE] = {
        'sunny': rng.uniform(0.0006, 0.0022),
        'overcast': rng.uniform(0.0015, 0.006),
        'low sun': rng.uniform(0.0012, 0.004),
        'dusk': rng.uniform(0.001, 0.003),
    }[kind]
    light[S.LAMPS] = {'dusk': 1.0, 'low sun': 0.12}.get(kind, 0.0)
    light[S.SEED] = rng.integers(1, 1000)
    light[S.GLARE] = {'sunny': 0.12, 'low sun': 0.2}.get(kind, 0.0)
    light[S.DRIFT] = rng.uniform(0, 50)
    fill = 0.5 * (light[S.ZENITH_G] + light[S.HORIZON_G])
    level = light[S.SUN_G] * light[S.SUN_Z] * 0.8 + fill
    exposure = {'dusk': 0.42, 'sunny': 1.25}.get(kind, 1.0) / level * rng.uniform(0.85, 1.15)
    return Weather(
        kind, light, float(exposure), 0.028 if kind == 'dusk' else float(rng.uniform(0.004, 0.011))
    )
