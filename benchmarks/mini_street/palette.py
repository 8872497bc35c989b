"""Colours of the street, in linear light, and rows of material parameters made of them."""

from __future__ import annotations

from typing import Sequence, TypeVar

import numpy as np

from .materials import PARAMETERS

# fmt: off
WALLS = [(0.26, 0.10, 0.07), (0.33, 0.17, 0.11), (0.48, 0.40, 0.29), (0.58, 0.51, 0.38),
         (0.62, 0.60, 0.55), (0.33, 0.33, 0.34), (0.55, 0.40, 0.20), (0.42, 0.33, 0.28),
         (0.36, 0.42, 0.44), (0.50, 0.30, 0.22)]
TRIMS = [(0.55, 0.54, 0.52), (0.30, 0.29, 0.28), (0.10, 0.09, 0.09), (0.40, 0.33, 0.24)]
ROOFS = [(0.28, 0.10, 0.06), (0.12, 0.11, 0.11), (0.20, 0.15, 0.12), (0.17, 0.18, 0.20)]
AWNINGS = [(0.35, 0.05, 0.04), (0.04, 0.16, 0.08), (0.05, 0.08, 0.25), (0.45, 0.40, 0.32),
           (0.30, 0.16, 0.05)]
LAWNS = [(0.09, 0.14, 0.035), (0.12, 0.15, 0.05), (0.13, 0.12, 0.05)]
LEAVES = [(0.055, 0.115, 0.025), (0.075, 0.13, 0.03), (0.045, 0.095, 0.03), (0.10, 0.13, 0.035),
          (0.15, 0.11, 0.03)]
SLABS = [(0.36, 0.35, 0.33), (0.30, 0.30, 0.30), (0.40, 0.36, 0.31)]
FENCES = [(0.24, 0.15, 0.08), (0.5, 0.5, 0.48), (0.2, 0.2, 0.2)]
CARS = [(0.55, 0.55, 0.56), (0.62, 0.62, 0.60), (0.02, 0.02, 0.022), (0.05, 0.05, 0.055),
        (0.14, 0.15, 0.16), (0.28, 0.29, 0.30), (0.35, 0.02, 0.02), (0.02, 0.06, 0.22),
        (0.02, 0.12, 0.20), (0.05, 0.13, 0.06), (0.42, 0.33, 0.20), (0.45, 0.20, 0.02)]
LORRIES = [(0.62, 0.62, 0.60), (0.05, 0.10, 0.30), (0.45, 0.03, 0.02), (0.55, 0.38, 0.03),
           (0.10, 0.11, 0.12)]
BUSES = [(0.60, 0.42, 0.02), (0.05, 0.22, 0.45), (0.50, 0.04, 0.03), (0.55, 0.55, 0.53),
         (0.05, 0.30, 0.12)]
SHIRTS = [(0.04, 0.05, 0.10), (0.30, 0.04, 0.05), (0.45, 0.43, 0.40), (0.03, 0.03, 0.03),
          (0.08, 0.20, 0.12), (0.35, 0.22, 0.05), (0.10, 0.16, 0.35), (0.45, 0.12, 0.20),
          (0.20, 0.20, 0.21)]
TROUSERS = [(0.03, 0.035, 0.05), (0.05, 0.07, 0.14), (0.10, 0.09, 0.08), (0.18, 0.16, 0.13),
            (0.02, 0.02, 0.02)]
SKINS = [(0.45, 0.28, 0.20), (0.36, 0.21, 0.14), (0.20, 0.11, 0.07), (0.10, 0.05, 0.035)]
# fmt: on
GREY = (0.22, 0.23, 0.24)

T = TypeVar('T')


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of a list."""
    return options[int(rng.integers(len(options)))]


def colours(
    rng: np.random.Generator, first: tuple, second: tuple = GREY, rest: tuple = ()
) -> np.ndarray:
    """A row of material parameters: two colours, a seed, the rest."""
    row = np.zeros(PARAMETERS)
    row[0:3], row[3:6] = np.multiply(first, rng.uniform(0.88, 1.12)), second
    row[6] = rng.integers(1, 10000)
    row[7 : 7 + len(rest)] = rest
    return row


def grey(rng: np.random.Generator, *rest: float) -> np.ndarray:
    """Parameters of galvanised steel."""
    return colours(rng, GREY, GREY, rest)
