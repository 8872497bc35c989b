"""Deferred shading: sun with shadow maps, sky light, ambient occlusion, reflections, haze, glow.

The rasteriser says which triangle a sample sees; here the exact hit point, texture coordinates,
normal and footprint follow from the same edge functions.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import inline, jit
from .materials import surface
from .noise import fbm

# Rows of the `light` vector that describes the weather and the hour.
(
    SUN_X,
    SUN_Y,
    SUN_Z,
    SUN_R,
    SUN_G,
    SUN_B,
    ZENITH_R,
    ZENITH_G,
    ZENITH_B,
    HORIZON_R,
    HORIZON_G,
    HORIZON_B,
    CLOUDS,
    CLOUD_SCALE,
    HAZE,
    LAMPS,
    SEED,
    GLARE,
    DRIFT,
) = range(19)
LIGHT_SIZE = 19


@inline
def sky(x, y, z, light, clouds):
    """Radiance of the sky in a direction, with or without clouds."""
    up = max(z, 0.0)
    t = 1 - math.exp(-5.0 * up)
    r = light[HORIZON_R] * (1 - t) + light[ZENITH_R] * t
    g = light[HORIZON_G] * (1 - t) + light[ZENITH_G] * t
    b = light[HORIZON_B] * (1 - t) + light[ZENITH_B] * t
    toward = max(0.0, x * light[SUN_X] + y * light[SUN_Y] + z * light[SUN_Z])
    glow = light[GLARE] * (0.35 * toward**6 + 1.2 * toward**60 + 12.0 * toward**1500)
    if clouds and light[CLOUDS] > 0 and z > 0:
        k = light[CLOUD_SCALE] / (up + 0.12)
        blur = 0.004 * k / (up + 0.12)
        n = fbm(x * k + light[DRIFT], y * k, 5, blur, int(light[SEED]))
        cover = max(0.0, min(1.0, (n - 0.72 + 0.45 * light[CLOUDS]) * 4.5))
        cover *= min(1.0, up * 9)
        lump = 0.75 + 0.5 * fbm(
            x * k * 1.7 + 5 + light[DRIFT], y * k * 1.7, 3, blur, int(light[SEED]) + 7
        )
        warm = 0.35 + 0.65 * toward
        mean = (light[ZENITH_R] + light[ZENITH_G] + light[ZENITH_B]) / 3
        haze = (light[HORIZON_R] + light[HORIZON_G] + light[HORIZON_B]) / 3
        cr = lump * (0.5 * mean + 0.55 * haze + 0.16 * warm * light[SUN_R])
        cg = lump * (0.5 * mean + 0.55 * haze + 0.16 * warm * light[SUN_G])
        cb = lump * (0.53 * mean + 0.57 * haze + 0.16 * warm * light[SUN_B])
        r, g, b = (
            r * (1 - cover) + cr * cover,
            g * (1 - cover) + cg * cover,
            b * (1 - cover) + cb * cover,
        )
        glow *= 1 - 0.8 * cover
    return r + glow * light[SUN_R], g + glow * light[SUN_G], b + glow * light[SUN_B]


@inline
def lit_by_sun(x, y, z, maps, frames):
    """Share of the sun seen from a point, from the finest shadow map that contains it.

    Compares with 2x2 texels, bilinearly. frames[i] is the 3x4 map from the world to (column, row,
    nearness) of maps[i].
    """
    for i in range(len(maps)):
        f = frames[i]
        size = maps[i].shape[0]
        c = f[0, 0] * x + f[0, 1] * y + f[0, 2] * z + f[0, 3] - 0.5
        r = f[1, 0] * x + f[1, 1] * y + f[1, 2] * z + f[1, 3] - 0.5
        if c < 1 or r < 1 or c >= size - 2 or r >= size - 2:
            continue
        texel = 1 / math.sqrt(f[0, 0] ** 2 + f[0, 1] ** 2 + f[0, 2] ** 2)
        h = f[2, 0] * x + f[2, 1] * y + f[2, 2] * z + f[2, 3] + 0.02 + 0.7 * texel
        j, k = int(c), int(r)
        a, b = c - j, r - k
        top = (1.0 if h >= maps[i][k, j] else 0.0) * (1 - a) + (
            1.0 if h >= maps[i][k, j + 1] else 0.0
        ) * a
        low = (1.0 if h >= maps[i][k + 1, j] else 0.0) * (1 - a) + (
            1.0 if h >= maps[i][k + 1, j + 1] else 0.0
        ) * a
        return top * (1 - b) + low * b
    return 1.0


@inline
def openness(x, y, z, occlusion, frame):
    """How much of the sky the ground at (x, y) sees, from the blurred map of what stands on it."""
    size = occlusion.shape[0]
    c = frame[0, 0] * x + frame[0, 3] - 0.5
    r = frame[1, 1] * y + frame[1, 3] - 0.5
    if c < 1 or r < 1 or c >= size - 2 or r >= size - 2:
        return 1.0
    j, k = int(c), int(r)
    a, b = c - j, r - k
    hidden = (occlusion[k, j] * (1 - a) + occlusion[k, j + 1] * a) * (1 - b) + (
        occlusion[k + 1, j] * (1 - a) + occlusion[k + 1, j + 1] * a
    ) * b
    return 1 - hidden * max(0.0, 1 - z / 0.9)


@inline
def weigh(edge, px, py, weights):
    """Barycentric weights of a pixel in a triangle, in place; returns the depth."""
    total = 0.0
    for i in range(3):
        weights[i] = edge[i, 0] * px + edge[i, 1] * py + edge[i, 2]
        total += weights[i]
    depth = 1 / total
    for i in range(3):
        weights[i] *= depth
    return depth


@inline
def blend(weights, attribute, column):
    """A column of a triangle's (3, 3) attribute at a point."""
    return (
        weights[0] * attribute[0, column]
        + weights[1] * attribute[1, column]
        + weights[2] * attribute[2, column]
    )


@inline
def daylight(x, y, z, nx, ny, nz, seen, light, occlusion, occlusion_frame):
    """Light that falls on a surface from sun, sky and ground."""
    sun = seen * max(0.0, nx * light[SUN_X] + ny * light[SUN_Y] + nz * light[SUN_Z])
    upper = (0.5 + 0.5 * nz) * openness(x, y, z, occlusion, occlusion_frame)
    bright = light[SUN_R] * max(0.1, light[SUN_Z]) + light[ZENITH_G] + light[HORIZON_G]
    bounce = 0.10 * bright * (0.5 - 0.5 * nz)
    # Walls are darker near the ground, which hides half of their sky.
    low = 1.0 if nz >= 0.7 else 0.55 + 0.45 * min(1.0, max(0.0, z) / 0.8)
    return (
        sun * light[SUN_R] + low * (upper * _fill(light, 0) + bounce),
        sun * light[SUN_G] + low * (upper * _fill(light, 1) + bounce),
        sun * light[SUN_B] + low * (upper * _fill(light, 2) + 0.9 * bounce),
    )


@inline
def _fill(light, channel):
    return 0.55 * light[ZENITH_R + channel] + 0.45 * light[HORIZON_R + channel]


@inline
def lamplight(x, y, z, nx, ny, nz, lamps_at):
    """Power that a surface gets from the street lamps."""
    power = 0.0
    for k in range(len(lamps_at)):
        qx, qy, qz = lamps_at[k, 0] - x, lamps_at[k, 1] - y, lamps_at[k, 2] - z
        d2 = qx * qx + qy * qy + qz * qz
        if d2 < 900 and qz > 0:
            d = math.sqrt(d2)
            power += 14.0 * max(0.0, (nx * qx + ny * qy + nz * qz) / d) * (qz / d) / (d2 + 4)
    return power


@inline
def mirrored(x, y, vx, vy, vz, nx, ny, nz, seen, light):
    """What a glossy surface reflects: sky above a ragged skyline, the street below, the sun."""
    k = 2 * (vx * nx + vy * ny + vz * nz)
    rx, ry, rz = vx - k * nx, vy - k * ny, vz - k * nz
    r, g, b = sky(rx, ry, max(rz, 0.02), light, False)
    line = 0.05 + 0.35 * fbm(math.atan2(ry, rx) * 3 + x * 0.05, y * 0.05, 2, 0.0, 5)
    above = max(0.0, min(1.0, (rz - line) * 9 + 0.5))
    level = 0.16 * (light[ZENITH_G] + light[HORIZON_G] + 0.3 * light[SUN_G])
    level *= (1 - 0.45 * max(0.0, min(1.0, -rz * 8))) * (1 - above)
    toward = max(0.0, rx * light[SUN_X] + ry * light[SUN_Y] + rz * light[SUN_Z])
    spark = seen * toward**300 * 14.0
    return (
        r * above + level + spark * light[SUN_R],
        g * above + level + spark * light[SUN_G],
        b * above + level + spark * light[SUN_B],
    )


@jit
def shade(
    columns,
    rows,
    triangles,
    edges,
    tex,
    normals,
    material,
    owner,
    parameters,
    camera,
    centre,
    light,
    maps,
    frames,
    occlusion,
    occlusion_frame,
    lamps_at,
    out,
):
    """Shade N samples.

    Args:
        columns: (N,) x of the samples, in continuous pixel coordinates.
        rows: (N,) their y.
        triangles: (N,) triangle seen, -1 for the sky.
        edges: (T, 3, 3) edge functions from the rasteriser.
        tex: (T, 3, 3) texture coordinates.
        normals: (T, 3, 3).
        material: (T,) codes.
        owner: (T,) objects.
        parameters: (objects, PARAMETERS) of the materials.
        camera: (3, 3), takes (column, row, 1) to a world direction of unit depth.
        centre: (3,) camera position.
        light: (LIGHT_SIZE,) the weather.
        maps: (2, size, size) shadow maps, the finer first.
        frames: (2, 3, 4) where they lie.
        occlusion: (size, size) share of the sky hidden from the ground.
        occlusion_frame: (3, 4) where it lies.
        lamps_at: (L, 3) street lamps near the camera.
        out: (N, 3) float32, filled with linear light.
    """
    here, right, below = np.empty(3), np.empty(3), np.empty(3)
    lamps = light[LAMPS]
    for n in range(len(columns)):
        px, py, t = columns[n], rows[n], triangles[n]
        dx = camera[0, 0] * px + camera[0, 1] * py + camera[0, 2]
        dy = camera[1, 0] * px + camera[1, 1] * py + camera[1, 2]
        dz = camera[2, 0] * px + camera[2, 1] * py + camera[2, 2]
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        vx, vy, vz = dx / length, dy / length, dz / length
        if t < 0:
            out[n, 0], out[n, 1], out[n, 2] = sky(vx, vy, vz, light, True)
            continue
        depth = weigh(edges[t], px, py, here)
        weigh(edges[t], px + 1, py, right)
        weigh(edges[t], px, py + 1, below)
        x, y, z = centre[0] + depth * dx, centre[1] + depth * dy, centre[2] + depth * dz
        u, v, w = blend(here, tex[t], 0), blend(here, tex[t], 1), blend(here, tex[t], 2)
        fu = abs(blend(right, tex[t], 0) - u) + abs(blend(below, tex[t], 0) - u)
        fv = abs(blend(right, tex[t], 1) - v) + abs(blend(below, tex[t], 1) - v)
        nx, ny = blend(here, normals[t], 0), blend(here, normals[t], 1)
        nz = blend(here, normals[t], 2)
        facing = nx * vx + ny * vy + nz * vz
        norm = math.copysign(1 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12), -facing)
        nx, ny, nz = nx * norm, ny * norm, nz * norm
        cosine = min(1.0, abs(facing * norm))

        r, g, b, gloss, er, eg, eb = surface(
            material[t], u, v, w, fu, fv, parameters[owner[t]], lamps
        )
        seen = 0.0
        if light[SUN_R] > 0:
            off = 0.03 + 0.0006 * depth
            seen = lit_by_sun(x + nx * off, y + ny * off, z + nz * off, maps, frames)
        lr, lg, lb = daylight(x, y, z, nx, ny, nz, seen, light, occlusion, occlusion_frame)
        if lamps > 0:
            power = lamps * lamplight(x, y, z, nx, ny, nz, lamps_at)
            lr, lg, lb = lr + power, lg + 0.72 * power, lb + 0.40 * power
        r, g, b = r * lr, g * lg, b * lb
        if gloss > 0:
            fresnel = gloss + (1 - gloss) * (1 - cosine) ** 5
            sr, sg, sb = mirrored(x, y, vx, vy, vz, nx, ny, nz, seen, light)
            keep = 1 - fresnel
            r, g, b = r * keep + fresnel * sr, g * keep + fresnel * sg, b * keep + fresnel * sb
        haze = 1 - math.exp(-light[HAZE] * depth * length)
        hr, hg, hb = sky(vx, vy, 0.01, light, False)
        out[n, 0] = (r + er) * (1 - haze) + hr * haze
        out[n, 1] = (g + eg) * (1 - haze) + hg * haze
        out[n, 2] = (b + eb) * (1 - haze) + hb * haze
