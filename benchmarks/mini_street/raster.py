"""A z-buffer rasteriser: which triangle is seen at each pixel's centre.

Edge functions live in homogeneous pixel coordinates (Olano and Greer, "Triangle Scan Conversion
using 2D Homogeneous Coordinates", 1997), so that triangles that cross the camera plane need no
clipping: with V = [V0 V1 V2] the vertices in homogeneous pixels, V^-1 (x, y, 1) = lambda / z. A
pixel is inside iff all three are non-negative; their sum is the nearness 1/z, their ratios are the
exact barycentrics.

Pixel (column i, row j) covers [i, i+1] x [j, j+1]; its centre is (i + 0.5, j + 0.5).
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import jit

_NEAR = 0.05


@jit
def setup_perspective(points, fx, fy, cx, cy, height, width):
    """Edge functions, nearness planes and pixel boxes of triangles in camera coordinates.

    Args:
        points: (T, 3, 3) vertices, x right, y down, z forward, in metres.
        fx: focal length in pixels along x.
        fy: that along y.
        cx: x of the principal point in pixels.
        cy: its y.
        height: of the image.
        width: of the image.

    Returns:
        edges (T, 3, 3), nearness plane (T, 3), boxes (T, 4) as x0, y0, x1, y1 (end exclusive;
        empty if not in view).
    """
    count = len(points)
    edges = np.zeros((count, 3, 3))
    plane = np.zeros((count, 3))
    boxes = np.zeros((count, 4), np.int32)
    v = np.zeros((3, 3))
    for t in range(count):
        x0 = y0 = 1e9
        x1 = y1 = -1e9
        ahead = 0
        for i in range(3):
            z = points[t, i, 2]
            v[i, 0] = fx * points[t, i, 0] + cx * z
            v[i, 1] = fy * points[t, i, 1] + cy * z
            v[i, 2] = z
            if z > _NEAR:
                ahead += 1
                x0, x1 = min(x0, v[i, 0] / z), max(x1, v[i, 0] / z)
                y0, y1 = min(y0, v[i, 1] / z), max(y1, v[i, 1] / z)
        if ahead == 0:
            continue
        if ahead < 3:
            for i in range(3):
                j = (i + 1) % 3
                if (v[i, 2] > _NEAR) != (v[j, 2] > _NEAR):
                    k = (_NEAR - v[i, 2]) / (v[j, 2] - v[i, 2])
                    x = (v[i, 0] + k * (v[j, 0] - v[i, 0])) / _NEAR
                    y = (v[i, 1] + k * (v[j, 1] - v[i, 1])) / _NEAR
                    x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
        if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
            continue
        det = 0.0
        for k in range(3):
            a, b = (k + 1) % 3, (k + 2) % 3
            edges[t, 0, k] = v[1, a] * v[2, b] - v[1, b] * v[2, a]
            edges[t, 1, k] = v[2, a] * v[0, b] - v[2, b] * v[0, a]
            edges[t, 2, k] = v[0, a] * v[1, b] - v[0, b] * v[1, a]
            det += v[0, k] * edges[t, 0, k]
        if abs(det) < 1e-9:
            continue
        for k in range(3):
            for i in range(3):
                edges[t, i, k] /= det
                plane[t, k] += edges[t, i, k]
        boxes[t, 0] = max(0, math.floor(max(x0, -1.0)))
        boxes[t, 1] = max(0, math.floor(max(y0, -1.0)))
        boxes[t, 2] = min(width, math.ceil(min(x1, width)))
        boxes[t, 3] = min(height, math.ceil(min(y1, height)))
    return edges, plane, boxes


@jit
def setup_parallel(points, size):
    """The same for a parallel projection: points (T, 3, 3) hold pixel x, pixel y and nearness."""
    count = len(points)
    edges = np.zeros((count, 3, 3))
    plane = np.zeros((count, 3))
    boxes = np.zeros((count, 4), np.int32)
    for t in range(count):
        p, q, r = points[t, 0], points[t, 1], points[t, 2]
        x0, x1 = min(p[0], q[0], r[0]), max(p[0], q[0], r[0])
        y0, y1 = min(p[1], q[1], r[1]), max(p[1], q[1], r[1])
        det = (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1])
        if x1 < 0 or y1 < 0 or x0 > size or y0 > size or abs(det) < 1e-9:
            continue
        for i in range(3):
            a, b = points[t, (i + 1) % 3], points[t, (i + 2) % 3]
            edges[t, i, 0] = (a[1] - b[1]) / det
            edges[t, i, 1] = (b[0] - a[0]) / det
            edges[t, i, 2] = (a[0] * b[1] - b[0] * a[1]) / det
            for k in range(3):
                plane[t, k] += edges[t, i, k] * points[t, i, 2]
        boxes[t, 0] = max(0, math.floor(max(x0, -1.0)))
        boxes[t, 1] = max(0, math.floor(max(y0, -1.0)))
        boxes[t, 2] = min(size, math.ceil(min(x1, size)))
        boxes[t, 3] = min(size, math.ceil(min(y1, size)))
    return edges, plane, boxes


@jit
def _span(edge, y, x0, x1, ox):
    """First and last column (end exclusive) of a row that lie inside the triangle."""
    low, high = x0 + ox, x1 - 1 + ox
    for i in range(3):
        a = edge[i, 0]
        rest = edge[i, 1] * y + edge[i, 2]
        if a > 0:
            low = max(low, -rest / a)
        elif a < 0:
            high = min(high, -rest / a)
        elif rest < 0:
            return 0, 0
    return math.ceil(low - ox), math.floor(high - ox) + 1


@jit
def rasterise(edges, plane, boxes, ox, oy, nearness, index):
    """Draw triangles into `nearness` (h, w) float32 and `index` (h, w) int32, in place.

    (ox, oy) is the sample's place in the pixel; the centre is (0.5, 0.5).
    """
    for t in range(len(boxes)):
        for row in range(boxes[t, 1], boxes[t, 3]):
            y = row + oy
            start, stop = _span(edges[t], y, boxes[t, 0], boxes[t, 2], ox)
            base = plane[t, 1] * y + plane[t, 2] + plane[t, 0] * ox
            for col in range(start, stop):
                near = base + plane[t, 0] * col
                if near > nearness[row, col]:
                    nearness[row, col] = near
                    index[row, col] = t


@jit
def coverage(edges, boxes, owner, count, stamp):
    """Pixels that each object would cover if nothing hid it.

    Triangles of one object must follow each other. `stamp` is scratch, (h, w) int32.
    """
    pixels = np.zeros(count, np.int64)
    stamp[:] = -1
    for t in range(len(boxes)):
        for row in range(boxes[t, 1], boxes[t, 3]):
            start, stop = _span(edges[t], row + 0.5, boxes[t, 0], boxes[t, 2], 0.5)
            for col in range(start, stop):
                if stamp[row, col] != owner[t]:
                    stamp[row, col] = owner[t]
                    pixels[owner[t]] += 1
    return pixels


@jit
def visible_boxes(index, owner, count):
    """Per object: x0, y0, x1, y1 (end exclusive) and the number of pixels where it is seen."""
    height, width = index.shape
    found = np.zeros((count, 5), np.int64)
    found[:, 0] = width
    found[:, 1] = height
    for row in range(height):
        for col in range(width):
            t = index[row, col]
            if t >= 0:
                box = found[owner[t]]
                box[0], box[1] = min(box[0], col), min(box[1], row)
                box[2], box[3] = max(box[2], col + 1), max(box[3], row + 1)
                box[4] += 1
    return found
