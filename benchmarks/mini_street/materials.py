"""Procedural surfaces: colour, gloss and glow of a material at a point of its texture.

Texture coordinates (u, v, w) are metres unless a material says otherwise; (fu, fv) is the pixel's
footprint in them. `p` is the object's row of parameters: p[0:3] and p[3:6] its two colours, p[6]
its seed, the rest per material. Colours are linear light.
"""

from __future__ import annotations

import math

from .compiled import inline
from .noise import band, bars, disc, fbm, hash2, value_noise

PARAMETERS = 20

(
    PLAIN,
    PLAIN_B,
    ASPHALT,
    PAVING,
    KERB,
    GRASS,
    FACADE,
    ROOF,
    LEAVES,
    BARK,
    METAL,
    PAINT,
    GLASS,
    WHEEL,
    HEADLAMP,
    TAILLAMP,
    BLACK,
    CARGO,
    SKIN,
    CLOTH,
    STOP_SIGN,
    LIGHT_FACE,
    CONE,
    BARRIER,
    SIGN,
    STREET_LAMP,
    HEDGE,
    FENCE,
    CHROME,
    SHINGLE,
) = range(30)

_GLYPHS = (
    0b01111100001000001110000010000111110,
    0b11111001000010000100001000010000100,
    0b01110100011000110001100011000101110,
    0b11110100011000111110100001000010000,
)


@inline
def asphalt(u, v, fu, fv, p):
    """Road: u along, v across.

    p[3] half width, p[4] lanes a side, p[5] lane width, p[7] yellow centre line, p[9] number of
    crossings, then pairs (place along u, half width) of them.
    """
    seed = int(p[6])
    base = 0.72 + 0.35 * fbm(u * 0.15, v * 0.6, 2, fv * 0.6, seed)
    base += 0.25 * (fbm(u * 3, v * 3, 2, 3 * min(fu, fv), seed + 3) - 0.5)
    base += 0.55 * (fbm(u * 30, v * 30, 2, 30 * fv, seed + 5) - 0.5)
    lane = abs(v) / p[5]
    track = abs(lane - math.floor(lane) - 0.5) * p[5]
    if lane < p[4]:
        base *= 1 - 0.12 * max(0.0, 1 - abs(track - 0.8) / 0.45)
        base *= 1 - 0.10 * max(0.0, 1 - track / 0.4)
    cell = math.floor(u / 9.0)
    if hash2(cell, math.floor(v / 3.4), seed + 9) < 0.13:
        base *= 0.72
    crack = abs(
        value_noise(u * 0.8, v * 0.9, seed + 11)
        + 0.35 * value_noise(u * 3.1, v * 3.3, seed + 12)
        - 0.68
    )
    where = max(0.0, min(1.0, (value_noise(u * 0.11, v * 0.2, seed + 13) - 0.55) * 5))
    base *= 1 - 0.4 * where * max(0.0, 1 - crack / (0.012 + fv)) * min(1.0, 0.02 / (0.012 + fv))
    r, g, b = p[0] * base, p[1] * base, p[2] * base

    half_lanes = p[4] * p[5]
    paint, yellow, inside = 0.0, 0.0, 0.0
    for i in range(int(p[9])):
        away = abs(u - p[10 + 2 * i])
        half = p[11 + 2 * i]
        if away < half + 6.5:
            inside = max(inside, band(away, -1.0, half + 6.5, fu))
        paint = max(
            paint,
            band(away, half + 1.2, half + 4.0, fu)
            * bars(v + 50, 1.1, 0.55, fv)
            * band(abs(v), -1.0, p[3] - 0.5, fv),
        )
        facing = v * (u - p[10 + 2 * i])
        if facing > 0 and abs(v) < half_lanes:
            paint = max(paint, band(away, half + 5.0, half + 5.45, fu))
    if inside < 0.99:
        lines = 0.0
        for k in range(1, int(p[4])):
            lines = max(lines, band(abs(v), k * p[5] - 0.075, k * p[5] + 0.075, fv))
        lines *= bars(u, 9.0, 3.2, fu)
        lines = max(lines, band(abs(v), half_lanes - 0.07, half_lanes + 0.07, fv))
        if p[7] > 0.5:
            yellow = band(abs(v), 0.08, 0.20, fv) * (1 - inside)
        else:
            lines = max(lines, band(v, -0.08, 0.08, fv) * bars(u + 4, 12.0, 6.0, fu))
        paint = max(paint, lines * (1 - inside))
    wear = 0.55 + 0.55 * fbm(u * 1.7, v * 5, 2, 5 * fv, seed + 21)
    paint, yellow = min(1.0, paint * wear), min(1.0, yellow * wear)
    r = r * (1 - paint - yellow) + 0.62 * paint + 0.58 * yellow
    g = g * (1 - paint - yellow) + 0.62 * paint + 0.38 * yellow
    b = b * (1 - paint - yellow) + 0.60 * paint + 0.06 * yellow
    return r, g, b


@inline
def paving(u, v, fu, fv, p):
    """Concrete slabs with joints."""
    seed = int(p[6])
    tone = 0.8 + 0.25 * fbm(u * 0.7, v * 0.7, 3, 0.7 * fv, seed)
    tone += 0.14 * (hash2(math.floor(u / 1.5), math.floor(v / 1.5), seed) - 0.5)
    joint = max(bars(u, 1.5, 0.03, fu), bars(v, 1.5, 0.03, fv))
    tone *= 1 - 0.5 * joint
    return p[0] * tone, p[1] * tone, p[2] * tone


@inline
def grass(u, v, f, p):
    """Lawn and bare ground."""
    seed = int(p[6])
    tone = 0.55 + 0.9 * fbm(u * 4, v * 4, 3, 4 * f, seed)
    bare = max(0.0, min(1.0, (fbm(u * 0.15, v * 0.15, 3, 0.15 * f, seed + 7) - 0.52) * 6))
    return (
        (p[0] * (1 - bare) + p[3] * bare) * tone,
        (p[1] * (1 - bare) + p[4] * bare) * tone,
        (p[2] * (1 - bare) + p[5] * bare) * tone,
    )


@inline
def facade(u, v, fu, fv, p, lamps):
    """A wall with windows, v its height; gives colour, gloss, glow.

    p[7] storey, p[8] bay, p[9] and p[10] the window's share of them, p[11] brick or plaster,
    p[12] shop at street level, p[13] height of the wall.
    """
    seed = int(p[6])
    storey, bay = p[7], p[8]
    iu, iv = math.floor(u / bay), math.floor(v / storey)
    x, y = u - iu * bay, v - iv * storey
    tone = 0.85 + 0.3 * fbm(u * 0.5, v * 0.35, 3, 0.5 * fv, seed)
    tone *= 0.82 + 0.18 * min(1.0, v / 2.0)
    if p[11] > 0.5:
        row = math.floor(v / 0.09)
        mortar = max(bars(v, 0.09, 0.012, fv), bars(u + 0.13 * (row % 2), 0.26, 0.012, fu))
        tone *= 1 + 0.35 * (hash2(math.floor(u / 0.26), row, seed) - 0.5) * max(0.0, 1 - fv / 0.1)
        tone = tone * (1 - 0.45 * mortar) + 0.5 * mortar
    r, g, b, gloss = p[0] * tone, p[1] * tone, p[2] * tone, 0.0
    er = eg = eb = 0.0
    shade = band(y, 0.0, 0.18, fv) * 0.3 + band(y, 0.18, 0.22, fv) * 0.25
    r, g, b = r * (1 - shade), g * (1 - shade), b * (1 - shade)

    shop = p[12] > 0.5 and iv == 0
    if shop:
        x = u - math.floor(u / (bay * 2)) * bay * 2
        iu = math.floor(u / (bay * 2))
        x0, x1, y0, y1 = 0.25, bay * 2 - 0.25, 0.45, storey - 0.95
        sign = band(y, storey - 0.85, storey - 0.2, fv) * band(x, 0.1, bay * 2 - 0.1, fu)
        hue = hash2(iu, 5, seed)
        letter = band(y, storey - 0.7, storey - 0.35, fv) * bars(x, 0.42, 0.27, fu)
        letter *= band(x, 0.8, bay * 2 - 0.8, fu)
        sr = 0.05 + 0.5 * hash2(iu, 6, seed) * (hue > 0.35)
        sg = 0.05 + 0.3 * hash2(iu, 7, seed)
        sb = 0.05 + 0.45 * hash2(iu, 8, seed) * (hue < 0.6)
        r = r * (1 - sign) + sign * (sr * (1 - letter) + 0.8 * letter)
        g = g * (1 - sign) + sign * (sg * (1 - letter) + 0.8 * letter)
        b = b * (1 - sign) + sign * (sb * (1 - letter) + 0.75 * letter)
        er, eg, eb = (
            sign * letter * lamps * 0.6,
            sign * letter * lamps * 0.5,
            sign * letter * lamps * 0.4,
        )
    else:
        x0, x1 = bay * (0.5 - 0.5 * p[9]), bay * (0.5 + 0.5 * p[9])
        y0 = storey * (0.55 - 0.5 * p[10])
        y1 = y0 + storey * p[10]
    top = p[13]
    if (iv + 1) * storey > top + 0.4:
        return r, g, b, gloss, er, eg, eb
    frame = band(x, x0 - 0.07, x1 + 0.07, fu) * band(y, y0 - 0.10, y1 + 0.07, fv)
    pane = band(x, x0, x1, fu) * band(y, y0, y1, fv)
    if pane > 0 and not shop:
        middle = (x0 + x1) / 2
        pane *= 1 - 0.9 * band(x, middle - 0.03, middle + 0.03, fu)
    light = hash2(iu, iv, seed + 31)
    frame_tone = 1.25
    r = r * (1 - frame) + frame * min(0.75, p[3] * frame_tone)
    g = g * (1 - frame) + frame * min(0.75, p[4] * frame_tone)
    b = b * (1 - frame) + frame * min(0.75, p[5] * frame_tone)
    curtain = 0.0
    if light > 0.45 and not shop:
        reach = 0.25 + 0.6 * hash2(iu, iv, seed + 33)
        curtain = band(y, y1 - reach * (y1 - y0), y1, fv) * 0.75
    inner = 0.025 + 0.05 * hash2(iu, iv, seed + 35)
    inset = 1 - 0.6 * band(y, y1 - 0.15, y1, fv)
    if shop:
        # What is laid out behind a shop's glass: shelves, things on them, posts between the panes.
        goods = hash2(math.floor(u / 0.23), math.floor(y / 0.42), seed + 41)
        shelf = 1 - bars(y, 0.42, 0.05, fv)
        inner = 0.02 + 0.13 * goods * goods * shelf * max(0.0, 1.3 - 0.5 * (y - y0))
        pane *= 1 - 0.95 * bars(u, 1.35, 0.07, fu)
    gr = (inner * (1 - curtain) + 0.30 * curtain) * inset
    gg = (inner * 1.05 * (1 - curtain) + 0.28 * curtain) * inset
    gb = (inner * 1.2 * (1 - curtain) + 0.24 * curtain) * inset
    r, g, b = r * (1 - pane) + gr * pane, g * (1 - pane) + gg * pane, b * (1 - pane) + gb * pane
    gloss = pane * (0.25 - 0.15 * curtain)
    lit = light > 0.62 or shop
    if lit and lamps > 0:
        warm = hash2(iu, iv, seed + 37)
        e = pane * lamps * (0.10 + 0.30 * hash2(iu, iv, seed + 39))
        if shop:
            e *= 0.25 + 4.0 * inner
        else:
            e *= (0.55 + 0.45 * (y - y0) / (y1 - y0)) * (1 - 0.4 * curtain)
        er, eg, eb = er + e, eg + e * (0.62 + 0.25 * warm), eb + e * (0.30 + 0.45 * warm)
    return r, g, b, gloss, er, eg, eb


@inline
def stop_sign(u, v, fu, fv):
    """Red octagon, u and v in [-1, 1], with a white rim and its word in a 5x7 font."""
    a, c = abs(u), abs(v)
    octagon = max(max(a, c), (a + c) * 0.7071)
    rim = band(octagon, 0.86, 0.95, max(fu, fv))
    white = rim
    if abs(v) < 0.34 + fv and a < 0.76 + fu:
        x, y = (u + 0.74) / 0.385, (0.31 - v) / 0.62
        letter, row = math.floor(x), math.floor(y * 7)
        column = math.floor((x - letter) * 6)
        if max(fu, fv) > 0.18:
            white = max(white, 0.42)
        elif 0 <= letter < 4 and 0 <= row < 7 and 0 <= column < 5:
            white = max(white, float((_GLYPHS[letter] >> (34 - row * 5 - column)) & 1))
    return 0.46 + 0.30 * white, 0.02 + 0.72 * white, 0.03 + 0.72 * white


@inline
def wheel(u, v, f):
    """Tyre and rim, u and v in units of the radius."""
    r = math.sqrt(u * u + v * v)
    rim = disc(r, 0.66, f)
    angle = math.atan2(v, u)
    spoke = max(0.0, min(1.0, math.cos(angle * 5) * 2.0 + 0.4))
    spoke = spoke * (1 - min(1.0, f * 3)) + 0.5 * min(1.0, f * 3)
    spoke = max(spoke, disc(r, 0.16, f), band(r, 0.58, 0.66, f))
    return 0.018 + rim * (0.03 + 0.38 * spoke)


@inline
def light_face(u, v, f, p):
    """Three lamps, v in [-1.5, 1.5]; p[7] is 0 red, 1 amber, 2 green. Returns colour and glow."""
    state = int(p[7])
    r = g = b = 0.012
    er = eg = eb = 0.0
    for i in range(3):
        inside = disc(math.sqrt(u * u + (v - (1 - i)) * (v - (1 - i))), 0.40, f)
        cr = 1.0 if i < 2 else 0.05
        cg = (0.06, 0.55, 0.9)[i]
        cb = (0.04, 0.03, 0.55)[i]
        on = 1.3 if i == state else 0.0
        r, g, b = r + inside * 0.06 * cr, g + inside * 0.06 * cg, b + inside * 0.06 * cb
        er, eg, eb = er + inside * on * cr, eg + inside * on * cg, eb + inside * on * cb
    return r, g, b, er, eg, eb


@inline
def sign(u, v, f, p):
    """Traffic signs, u and v in [-1, 1]; p[7]: 0 limit, 1 direction board, 2 warning, 3 parking."""
    kind = int(p[7])
    radius = math.sqrt(u * u + v * v)
    ink = bars(u + 0.5 * hash2(0, math.floor(v * 5), int(p[6])), 0.31, 0.19, f) * bars(
        v, 0.5, 0.22, f
    )
    if kind == 0:
        ring = band(radius, 0.74, 1.0, f)
        digit = band(abs(u), 0.08, 0.2, f) * band(abs(v), 0.0, 0.4, f) + band(
            abs(u), 0.4, 0.5, f
        ) * band(abs(v), -1.0, 0.4, f) * (u > 0)
        digit = min(1.0, digit + band(abs(u + 0.3), -1.0, 0.06, f) * band(abs(v), -1, 0.4, f))
        white = 0.75 * (1 - digit)
        return (
            white * (1 - ring) + 0.55 * ring,
            white * (1 - ring) + 0.02 * ring,
            white * (1 - ring) + 0.02 * ring,
        )
    if kind == 1:
        edge = 1 - band(max(abs(u), abs(v)), -1.0, 0.93, f)
        white = max(edge, ink * band(abs(u), -1.0, 0.75, f))
        return 0.02 + 0.7 * white, 0.18 + 0.55 * white, 0.08 + 0.65 * white
    if kind == 2:
        edge = band(abs(u) + abs(v), 1.15, 1.30, f)
        mark = band(abs(u), -1.0, 0.14, f) * band(abs(v), -1.0, 0.55, f)
        dark = max(edge, mark)
        return 0.75 * (1 - dark) + 0.02, 0.45 * (1 - dark) + 0.02, 0.03
    white = band(abs(u + 0.2), -1.0, 0.1, f) * band(abs(v), -1.0, 0.6, f)
    bow = math.sqrt((u - 0.05) * (u - 0.05) + (v - 0.28) * (v - 0.28))
    white = max(white, band(bow, 0.2, 0.36, f) * (u > -0.1))
    return 0.02 + 0.75 * white, 0.10 + 0.65 * white, 0.45 + 0.30 * white


@inline
def surface(material, u, v, w, fu, fv, p, lamps):
    """Look a material up: colour (3), gloss, glow (3)."""
    f = max(fu, fv)
    gloss = er = eg = eb = 0.0
    r, g, b = p[0], p[1], p[2]
    seed = int(p[6])
    if material == ASPHALT:
        r, g, b = asphalt(u, v, fu, fv, p)
    elif material == PAVING:
        r, g, b = paving(u, v, fu, fv, p)
    elif material == KERB:
        tone = 0.8 + 0.3 * fbm(u * 2, v * 2, 2, f * 2, seed)
        tone *= 1 - 0.5 * bars(u, 1.0, 0.03, fu)
        r, g, b = 0.36 * tone, 0.36 * tone, 0.34 * tone
    elif material == GRASS:
        r, g, b = grass(u, v, f, p)
    elif material == FACADE:
        r, g, b, gloss, er, eg, eb = facade(u, v, fu, fv, p, lamps)
    elif material == ROOF:
        tone = 0.7 + 0.4 * fbm(u * 0.8, v * 0.8, 2, 0.8 * f, seed)
        r, g, b = 0.20 * tone, 0.19 * tone, 0.18 * tone
    elif material == SHINGLE:
        tone = (0.75 + 0.4 * fbm(u, v, 2, f, seed)) * (1 - 0.35 * bars(v, 0.3, 0.05, fv))
        r, g, b = p[14] * tone, p[15] * tone, p[16] * tone
    elif material == LEAVES:
        tone = 0.45 + 0.75 * u + 1.3 * (0.4 + u) * (fbm(v * 7, w * 7, 3, 7 * f, seed) - 0.5)
        r, g, b = p[0] * tone * (0.9 + 0.3 * u), p[1] * tone, p[2] * tone
    elif material == HEDGE:
        tone = 0.35 + 1.1 * fbm(u * 7, v * 7, 3, 7 * f, seed)
        r, g, b = p[0] * tone, p[1] * tone, p[2] * tone
    elif material == BARK:
        tone = 0.6 + 0.8 * fbm(u * 14, v * 2, 2, 14 * f, seed)
        r, g, b = 0.13 * tone, 0.10 * tone, 0.075 * tone
    elif material == METAL:
        tone = 0.85 + 0.3 * fbm(u * 3, v * 3, 2, 3 * f, seed)
        r, g, b, gloss = p[3] * tone, p[4] * tone, p[5] * tone, 0.05
    elif material == PAINT:
        dirt = 0.25 * max(0.0, 1 - w / 0.7) * fbm(u * 2, w * 3, 2, 3 * f, seed)
        r, g, b = (
            r * (1 - dirt) + 0.12 * dirt,
            g * (1 - dirt) + 0.11 * dirt,
            b * (1 - dirt) + 0.10 * dirt,
        )
        gloss = 0.055
    elif material == GLASS:
        r = g = b = 0.014
        gloss = 0.15
    elif material == WHEEL:
        r = g = b = wheel(u, v, f)
    elif material == HEADLAMP:
        r, g, b, gloss = 0.55, 0.56, 0.58, 0.12
        er, eg, eb = 2.6 * lamps, 2.4 * lamps, 2.0 * lamps
    elif material == TAILLAMP:
        r, g, b, gloss = 0.30, 0.012, 0.01, 0.06
        glow = p[7] if p[7] > lamps else lamps
        er, eg, eb = 1.1 * glow, 0.04 * glow, 0.03 * glow
    elif material == BLACK:
        r = g = b = 0.015
    elif material == PLAIN:
        tone = 0.95 + 0.10 * fbm(u * 5, v * 5, 2, 5 * f, seed)
        r, g, b = r * tone, g * tone, b * tone
    elif material == PLAIN_B:
        r, g, b = p[3], p[4], p[5]
    elif material == CARGO:
        tone = (0.95 + 0.08 * fbm(u * 0.8, v * 0.8, 3, f, seed)) * (
            1 - 0.18 * bars(u, 0.45, 0.03, fu)
        )
        logo = band(v, 1.9, 2.6, fv) * band(u, -p[9], p[9], fu) * p[8]
        ink = logo * bars(u + 0.3 * value_noise(v * 3, 0.0, seed), 0.7, 0.48, fu)
        stripe = band(v, 1.35, 1.6, fv) * p[8]
        mix = min(1.0, ink + stripe)
        r, g, b = (
            tone * (r * (1 - mix) + p[3] * mix),
            tone * (g * (1 - mix) + p[4] * mix),
            tone * (b * (1 - mix) + p[5] * mix),
        )
        gloss = 0.02
    elif material == SKIN:
        r, g, b = p[7], p[8], p[9]
    elif material == CLOTH:
        tone = 0.75 + 0.5 * fbm(u * 9, v * 9, 2, 9 * f, seed)
        r, g, b = r * tone, g * tone, b * tone
    elif material == STOP_SIGN:
        r, g, b = stop_sign(u, v, fu, fv)
        gloss = 0.03
    elif material == LIGHT_FACE:
        r, g, b, er, eg, eb = light_face(u, v, f, p)
    elif material == CONE:
        white = max(band(v, 0.26, 0.38, fv), band(v, 0.48, 0.58, fv))
        r, g, b = 0.80 - 0.05 * white, 0.13 + 0.62 * white, 0.02 + 0.73 * white
    elif material == BARRIER:
        white = bars(u + v, 0.5, 0.25, fu + fv)
        r = p[0] * (1 - white) + 0.72 * white
        g = p[1] * (1 - white) + 0.72 * white
        b = p[2] * (1 - white) + 0.70 * white
    elif material == SIGN:
        r, g, b = sign(u, v, f, p)
        gloss = 0.03
    elif material == STREET_LAMP:
        r = g = b = 0.6
        er, eg, eb = 2.4 * lamps, 1.9 * lamps, 1.2 * lamps
    elif material == FENCE:
        slat = bars(u, 0.16, 0.13, fu)
        tone = 0.8 + 0.4 * fbm(u * 2, v * 0.7, 2, 2 * f, seed)
        tone *= 0.35 + 0.65 * slat
        r, g, b = r * tone, g * tone, b * tone
    elif material == CHROME:
        r, g, b, gloss = 0.25, 0.25, 0.26, 0.35
    return r, g, b, gloss, er, eg, eb
