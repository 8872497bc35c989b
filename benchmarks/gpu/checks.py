"""The device against a CPU in float64, and what holds of every warp.

The tolerances are those of single precision over an image of 2,000 pixels; half precision rounds
what goes in and what comes out, and nothing in between.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import torch
from torch import Tensor

from gpu.clock import Setting, attempt
from gpu.scenes import noise, saliency, sizes
from lzu_mm.warps import Warp, saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.fused import fused_kernels

KINDS: dict[str, dict[str, Any]] = {
    'attraction': {},
    'equalise': {'method': 'equalise'},
    'non-separable': {'separable': False},
    'cropping': {'anti_crop': False},
}
# Of one value in [0, 1] that is rounded.
ROUNDING = {torch.float32: 0.0, torch.float16: 5e-4, torch.bfloat16: 4e-3}
_POINTS, _PIXELS = 2e-5, 2e-3
# Large enough for all five levels, and a CPU is through with it in time.
_ZOOMED = (200, 320)


def run(setting: Setting) -> list[dict[str, Any]]:
    """All checks; a row each."""
    rows: list[dict[str, Any]] = []
    for fused, way in setting.ways.items():
        for kind, options in KINDS.items():
            for dtype in ROUNDING:
                for name, check in CHECKS.items():
                    if kind == 'non-separable' and (fused or name.endswith('area')):
                        continue
                    label = f'{name}, {kind}, {str(dtype)[6:]}{way}'
                    with fused_kernels(fused):
                        attempt(label, partial(check, options, dtype, setting), rows, setting)
            if kind != 'cropping':
                label = f'uniform is the identity, {kind}{way}'
                with fused_kernels(fused):
                    attempt(label, partial(_identity, options, setting), rows, setting)
    bad = sum('error' in row for row in rows)
    print(f'{len(rows) - bad} of {len(rows)} checks hold')
    return rows


def _warps(options: dict[str, Any], dtype: torch.dtype, setting: Setting) -> tuple[Warp, Warp]:
    """On the device from maps of this dtype, and on the CPU in float64 from the same values."""
    maps = saliency(2).to(dtype)
    return (
        saliency_to_warp(maps.to(setting.device), **options),
        saliency_to_warp(maps.double(), **options),
    )


def _off(found: Tensor, expected: Tensor) -> float:
    return (found.cpu().double() - expected).abs().max().item()


def _points(options: dict[str, Any], dtype: torch.dtype, setting: Setting) -> dict[str, Any]:
    ours, exact = _warps(options, dtype, setting)
    points = noise(2, 500, 2, seed=1)
    on_device = points.to(setting.device)
    off = max(
        _off(ours.to_source(on_device), exact.to_source(points.double())),
        # Where T is steep its inverse is flat, and the other way round.
        _off(ours.to_source(ours.to_zoomed(ours.to_source(on_device))), exact.to_source(points)),
    )
    return {'off': off, 'bound': _POINTS}


def _grids(options: dict[str, Any], dtype: torch.dtype, setting: Setting) -> dict[str, Any]:
    """Rising, within the frame, and edges on edges."""
    ours, exact = _warps(options, dtype, setting)
    size = sizes(setting, _ZOOMED).levels[0]
    for grid in (ours.zoom_grid(size), ours.unzoom_grid(size)):
        assert grid.abs().max() <= 1
        if options.get('anti_crop', True):
            assert (grid[..., 0].diff(dim=2) > 0).all()
            assert (grid[..., 1].diff(dim=1) > 0).all()
    corners = torch.tensor([[[0.0, 0], [1, 0], [0, 1], [1, 1]]], device=setting.device)
    if options.get('anti_crop', True):
        assert (ours.to_source(corners.expand(2, -1, -1)) - corners).abs().max() < 1e-6
    return {'off': _off(ours.unzoom_grid(size), exact.unzoom_grid(size)), 'bound': 3e-4}


def _zoom(
    options: dict[str, Any], dtype: torch.dtype, setting: Setting, antialias: bool = False
) -> dict[str, Any]:
    ours, exact = _warps(options, dtype, setting)
    at = sizes(setting, _ZOOMED)
    whole = (noise(3, *at.source, seed=2) * 255).to(torch.uint8)
    off = 0.0
    for image, scale in ((whole, 255), (noise(3, *at.source, seed=2).to(dtype), 1)):
        found = zoom_image(
            image.to(setting.device), ours.index(slice(1, 2)), at.zoomed, antialias=antialias
        )
        expected = zoom_image(
            image.double(), exact.index(slice(1, 2)), at.zoomed, antialias=antialias
        )
        floats = image.is_floating_point() and not antialias
        assert found.dtype == (image.dtype if floats else torch.float32)
        off = max(off, _off(found, expected) / scale)
    return {'off': off, 'bound': _PIXELS + ROUNDING[dtype]}


def _zoom_area(*args: Any) -> dict[str, Any]:
    return _zoom(*args, antialias=True)


def _unzoom(
    options: dict[str, Any], dtype: torch.dtype, setting: Setting, antialias: bool = False
) -> dict[str, Any]:
    """Values, and gradients of the features; the second image is padded."""
    ours, exact = _warps(options, dtype, setting)
    at = sizes(setting, _ZOOMED)
    content = [at.zoomed, (at.zoomed[0], at.zoomed[1] * 3 // 4)]
    off = 0.0
    for k, level in enumerate(at.levels):
        feature, pull = (noise(2, 24, *level, seed=seed).to(dtype) for seed in (k, k + 10))
        for frame in ((1, 1), (2, 1)):
            pulled = pull.repeat_interleave(frame[0], 2).contiguous()

            settings = dict(content=content, canvas=at.zoomed, antialias=antialias, frame=frame)
            both = partial(_and_gradient, pull=pulled, settings=settings)
            found = both(feature.to(setting.device), ours)
            expected = both(feature.double(), exact)
            off = max(off, _off(found[0], expected[0]))
            # Several cells are added up.
            scale = max(expected[1].abs().max().item(), 1)
            off = max(off, _off(found[1], expected[1]) / scale)
    return {'off': off, 'bound': _PIXELS + ROUNDING[dtype]}


def _and_gradient(
    x: Tensor, warp: Warp, pull: Tensor, settings: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    x = x.requires_grad_()
    out = unzoom_feature(x, warp, **settings)
    (gradient,) = torch.autograd.grad(out, x, pull.to(out))
    return out.detach(), gradient


def _unzoom_area(*args: Any) -> dict[str, Any]:
    return _unzoom(*args, antialias=True)


def _learning(options: dict[str, Any], dtype: torch.dtype, setting: Setting) -> dict[str, Any]:
    """The gradient of the saliency, through zoom and unzoom."""
    at = sizes(setting, _ZOOMED)
    level = at.levels[0]
    smooth = torch.nn.functional.interpolate(
        noise(1, 3, 6, 9, seed=5), at.source, mode='bicubic', align_corners=False
    )[0]

    def gradient(maps: Tensor) -> Tensor:
        maps = maps.requires_grad_()
        warp = saliency_to_warp(maps, **options)
        # In half precision its own rounding would be most of the gradient.
        image = smooth.to(maps.device, torch.promote_types(maps.dtype, torch.float32))
        zoomed = zoom_image(image, warp, at.zoomed)
        feature = torch.nn.functional.adaptive_avg_pool2d(zoomed[None], level)
        out = unzoom_feature(feature, warp, [at.zoomed], at.zoomed)
        aim = torch.linspace(0, 1, level[1], device=maps.device, dtype=out.dtype)
        (found,) = torch.autograd.grad((out * aim).mean(), maps)
        return found.detach().cpu().double()

    maps = saliency(1, seed=3).to(dtype)
    found, expected = gradient(maps.to(setting.device)), gradient(maps.double())
    return {
        'off': ((found - expected).norm() / expected.norm()).item(),
        'bound': 0.02 + ROUNDING[dtype],
    }


def _identity(options: dict[str, Any], setting: Setting) -> dict[str, Any]:
    """Points and area-weighted features stay; where the warp equalises, to the bit."""
    warp = saliency_to_warp(torch.ones(2, 1, 31, 51, device=setting.device), **options)
    if options.get('separable', True):
        points = noise(2, 500, 2, device=setting.device, seed=1)
        for mapped in (warp.to_source(points), warp.to_zoomed(points)):
            if options.get('method') == 'equalise':
                moved = (mapped - points).abs().max().item()
                assert torch.equal(mapped, points), f'points move by {moved:.3g}'
            assert (mapped - points).abs().max() < 1e-6
        at = sizes(setting, _ZOOMED)
        for level in at.levels:
            feature = noise(2, 8, *level, device=setting.device)
            out = unzoom_feature(feature, warp, [at.zoomed] * 2, at.zoomed, antialias=True)
            assert torch.allclose(out, feature, rtol=0, atol=1e-5), f'level {level}'
            if options.get('method') == 'equalise':
                changed = (out - feature).abs().max().item()
                assert torch.equal(out, feature), f'level {level} changes by {changed:.3g}'
    plain = warp.zoom_grid((20, 30)).cpu().double()
    x = 2 * (torch.arange(30).double() + 0.5) / 30 - 1
    return {'off': (plain[..., 0] - x).abs().max().item(), 'bound': 1e-6}


CHECKS: dict[str, Callable[..., dict[str, Any]]] = {
    'points': _points,
    'grids': _grids,
    'zoom': _zoom,
    'zoom by area': _zoom_area,
    'unzoom': _unzoom,
    'unzoom by area': _unzoom_area,
    'gradient of the saliency': _learning,
}
