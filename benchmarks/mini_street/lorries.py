"""Trucks, trailers, buses and an excavator, as cached meshes."""

from __future__ import annotations

from functools import lru_cache

from .cars import wheels
from .materials import (
    BLACK,
    CARGO,
    CHROME,
    GLASS,
    HEADLAMP,
    METAL,
    PAINT,
    PLAIN,
    PLAIN_B,
    TAILLAMP,
)
from .meshes import Mesh, box, merge, pane_x, pane_y, tube


def _cab(x0: float, x1: float, half: float, height: float) -> list[Mesh]:
    """A lorry's cab, its front at x1."""
    z = (height * 0.55, height * 0.86)
    front = x1 + 0.012
    parts = [
        box((x0, -half, 0.45), (x1, half, height), PAINT, taper=(0.06, 0.05)),
        box((x1 - 0.2, -half, 0.35), (x1 + 0.06, half, 0.62), BLACK),
        pane_x(x1 - 0.02, (-half * 0.9, half * 0.9), z, GLASS, lean=-0.015),
        pane_x(front, (-half * 0.55, half * 0.55), (0.7, 1.25), BLACK),
    ]
    for side in (-1, 1):
        window, lamp = side * (half - 0.012), (side * half * 0.6, side * half * 0.92)
        parts.append(pane_y(window, (x1 - 1.15, x1 - 0.2), z, GLASS, lean=-side * 0.018))
        parts.append(pane_x(front, lamp, (0.75, 0.95), HEADLAMP))
        y = side * (half + 0.16)
        parts.append(box((x1 - 0.15, y - 0.09, z[0] + 0.1), (x1 - 0.05, y + 0.09, z[1]), BLACK))
    return parts


def _tail(x: float, half: float, z: float) -> list[Mesh]:
    """Bumper and tail lamps."""
    parts = [box((x - 0.02, -half * 0.95, z - 0.1), (x + 0.06, half * 0.95, z), BLACK)]
    for side in (-half, half):
        parts.append(pane_x(x - 0.03, (side * 0.62, side * 0.95), (z, z + 0.16), TAILLAMP))
    return parts


@lru_cache(maxsize=None)
def truck(kind: str) -> Mesh:
    """A box lorry ('box'), a tipper ('tipper') or a semi-trailer's tractor ('tractor')."""
    sizes = {'box': (7.6, 1.2, 2.6), 'tipper': (7.2, 1.22, 2.7), 'tractor': (5.9, 1.22, 3.2)}
    length, half, cab_height = sizes[kind]
    front = length / 2
    parts = _cab(front - 1.9, front, half, cab_height)
    parts.append(box((-front, -half * 0.75, 0.55), (front - 1.8, half * 0.75, 0.95), BLACK))
    if kind == 'box':
        parts.append(box((-front, -half, 0.95), (front - 2.05, half, 3.35), CARGO))
    elif kind == 'tipper':
        bed = (-front, -half, 1.0), (front - 2.1, half, 2.35)
        parts.append(box(*bed, PLAIN, top=BLACK, taper=(-0.1, -0.03)))
    rear = [-front + 1.6] if kind == 'box' else [-front + 1.2, -front + 2.45]
    parts += wheels([front - 1.28, *rear], half, 0.5, 0.32)
    return merge(*parts, *_tail(-front, half, 0.72))


@lru_cache(maxsize=None)
def trailer() -> Mesh:
    """A semi-trailer, its kingpin at the front."""
    rear, half = -5.2, 1.25
    parts = [
        box((rear, -half, 1.1), (-rear, half, 3.75), CARGO),
        box((rear, -half * 0.8, 0.85), (-rear, half * 0.8, 1.1), BLACK),
        box((1.8, -half * 0.6, 0.1), (2.0, half * 0.6, 0.9), METAL),
    ]
    parts += wheels([rear + 1.1, rear + 2.3, rear + 3.5], half, 0.5, 0.32)
    return merge(*parts, *_tail(rear, half, 0.8))


@lru_cache(maxsize=None)
def bus(kind: str) -> Mesh:
    """A city bus ('city') or a coach ('coach')."""
    sizes = {'city': (5.8, 1.26, 3.05, 1.25, 2.5), 'coach': (6.1, 1.27, 3.45, 1.75, 2.95)}
    front, half, height, low, high = sizes[kind]
    screen, sign = (-half * 0.94, half * 0.94), (-half * 0.7, half * 0.7)
    parts = [
        box((-front, -half, 0.32), (front, half, height), PAINT, taper=(0.08, 0.06)),
        box((-front * 0.5, -half * 0.6, height), (front * 0.3, half * 0.6, height + 0.22), PLAIN_B),
        pane_x(front + 0.012, screen, (low - 0.15, high + 0.05), GLASS, lean=-0.06),
        pane_x(front - 0.02, sign, (high + 0.1, high + 0.38), BLACK, lean=-0.02),
        pane_x(-front - 0.01, (-half * 0.85, half * 0.85), (low + 0.2, high), GLASS, lean=0.05),
    ]
    for side in (-1, 1):
        y = side * (half + 0.006)
        x = -front + 0.35
        while x < front - 0.6:
            window = (x, min(x + 1.42, front - 0.15))
            parts.append(pane_y(y, window, (low, high), GLASS, lean=-side * 0.04))
            x += 1.52
        parts.append(pane_y(y, (-front + 0.1, front - 0.1), (0.55, 0.80), PLAIN_B))
        lamp = (side * half * 0.65, side * half * 0.93)
        parts.append(pane_x(front + 0.015, lamp, (0.62, 0.84), HEADLAMP))
    for x in (-front * 0.1, front - 1.9):
        y = -half - 0.012
        parts.append(pane_y(y, (x, x + 1.1), (0.45, high), GLASS, lean=0.05))
        parts.append(pane_y(y - 0.004, (x + 0.51, x + 0.58), (0.45, high), BLACK, lean=0.05))
    parts += wheels([-front + 2.9, front - 2.7], half, 0.48, 0.3)
    return merge(*parts, *_tail(-front, half, 0.62))


@lru_cache(maxsize=None)
def excavator() -> Mesh:
    """A construction vehicle: tracks, cab, counterweight, boom, stick and bucket."""
    y = -0.35
    parts = [
        box((-1.9, -1.28, 0.05), (1.9, -0.72, 0.9), BLACK, taper=(0.25, 0.0)),
        box((-1.9, 0.72, 0.05), (1.9, 1.28, 0.9), BLACK, taper=(0.25, 0.0)),
        box((-2.2, -1.25, 1.0), (1.5, 1.25, 1.95), PLAIN, taper=(0.05, 0.05)),
        box((-2.5, -1.25, 1.05), (-1.5, 1.25, 2.1), BLACK, taper=(0.1, 0.1)),
        box((0.1, 0.25, 1.9), (1.5, 1.2, 2.95), PLAIN, taper=(0.1, 0.04)),
        pane_x(1.505, (0.32, 1.12), (1.95, 2.85), GLASS, lean=-0.09),
        pane_y(1.205, (0.25, 1.36), (2.0, 2.85), GLASS, lean=-0.03),
        pane_y(0.245, (0.25, 1.36), (2.0, 2.85), GLASS, lean=0.03),
        tube((1.2, y, 1.6), (2.6, y, 3.9), 0.24, 0.26, PLAIN, 6),
        tube((2.6, y, 3.9), (4.0, y, 3.5), 0.24, 0.18, PLAIN, 6),
        tube((4.0, y, 3.5), (4.1, y, 1.2), 0.18, 0.13, PLAIN, 6),
        tube((1.5, y, 1.6), (2.7, y, 3.2), 0.07, 0.07, CHROME, 6),
        box((3.5, -0.9, 0.55), (4.4, 0.2, 1.3), BLACK, taper=(0.2, 0.0)),
    ]
    return merge(*parts)
