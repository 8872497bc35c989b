"""Slow, literal float64 versions of the formulas, to test the fast ones against."""

import math

import numpy as np


def padded_index(i, n, anti_crop):
    """The node whose saliency stands at node i, which may lie outside 0 … n - 1."""
    if not anti_crop:
        return min(max(i, 0), n - 1)
    if i < 0:
        return -i
    return 2 * (n - 1) - i if i >= n else i


def axis_knots(marginal, padding, fwhm, anti_crop):
    n = len(marginal)
    knots = []
    for k in range(n):
        numerator = denominator = 0.0
        for i in range(k - padding, k + padding + 1):
            weight = marginal[padded_index(i, n, anti_crop)]
            weight *= math.exp(-4 * math.log(2) * (k - i) ** 2 / fwhm**2)
            numerator += weight * i / (n - 1)
            denominator += weight
        knots.append(min(max(numerator / denominator, 0.0), 1.0))
    return np.array(knots)


def plane_knots(saliency, fwhm, anti_crop):
    h, w = saliency.shape
    padding = min(h, w) - 1
    knots = np.zeros((h, w, 2))
    for row in range(h):
        for column in range(w):
            numerator, denominator = np.zeros(2), 0.0
            for j in range(row - padding, row + padding + 1):
                for i in range(column - padding, column + padding + 1):
                    weight = saliency[padded_index(j, h, anti_crop), padded_index(i, w, anti_crop)]
                    distance = (row - j) ** 2 + (column - i) ** 2
                    weight *= math.exp(-4 * math.log(2) * distance / fwhm**2)
                    numerator += weight * np.array([i / (w - 1), j / (h - 1)])
                    denominator += weight
            knots[row, column] = np.clip(numerator / denominator, 0, 1)
    return knots


def bilinear(knots, point):
    """Value at a point of a map that is bilinear between knots (h, w, 2)."""
    h, w = knots.shape[:2]
    x, y = point[0] * (w - 1), point[1] * (h - 1)
    i, j = min(int(x), w - 2), min(int(y), h - 2)
    a, b = x - i, y - j
    top = (1 - a) * knots[j, i] + a * knots[j, i + 1]
    bottom = (1 - a) * knots[j + 1, i] + a * knots[j + 1, i + 1]
    return (1 - b) * top + b * bottom
