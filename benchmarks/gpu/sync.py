"""No part of the steady state waits for the device."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from itertools import product
from typing import Any, Callable, Iterator

import torch
from torch import nn

from gpu.clock import DeviceLostError, Setting, is_lost
from gpu.scenes import noise, saliency, sizes
from lzu_mm.nn import SaliencyNet, ZoomedBackbone
from lzu_mm.warps import saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.fused import fused_kernels


def run(setting: Setting) -> list[dict[str, Any]]:
    """Each case once to warm up, then again where waiting is an error."""
    rows = []
    for fused, (name, case) in product(setting.ways, _cases(setting).items()):
        row: dict[str, Any] = {'name': f'{name}, fused' if fused else name}
        if not setting.wants(row['name']):
            continue
        try:
            with fused_kernels(fused):
                case()
                with _no_waiting(setting.device):
                    case()
        except Exception as error:
            ours = [f for f in traceback.extract_tb(error.__traceback__) if 'lzu_mm' in f.filename]
            place = f'{ours[-1].filename}:{ours[-1].lineno} {ours[-1].line}' if ours else ''
            row['error'] = f'{type(error).__name__}: {str(error)[:200]} at {place}'
            traceback.print_exc()
        print(f'{row["name"]}: {row.get("error", "never waits")}')
        rows.append(row)
        if 'error' in row and is_lost():
            raise DeviceLostError(rows)
    return rows


@contextmanager
def _no_waiting(device: torch.device) -> Iterator[None]:
    if device.type != 'cuda':
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')
        torch.cuda.synchronize()


def _cases(setting: Setting) -> dict[str, Callable[[], Any]]:
    device, at = setting.device, sizes(setting)
    whole = (noise(3, *at.source) * 255).to(device, torch.uint8)
    images = noise(2, 3, *at.source, device=device)
    levels = [noise(2, 16, *level, device=device).requires_grad_() for level in at.levels]
    maps = saliency(2, device)
    cases: dict[str, Callable[[], Any]] = {}
    kinds: dict[str, dict[str, Any]] = {
        'attraction': {},
        'equalise': {'method': 'equalise'},
        'non-separable': {'separable': False},
    }
    for kind, options in kinds.items():
        fixed = saliency_to_warp(maps, **options)
        first = fixed.index(slice(0, 1))
        areas = (False,) if kind == 'non-separable' else (False, True)
        for area in areas:
            label = f'{kind}, by area' if area else kind

            def zoom(warp: Any = first, area: bool = area) -> Any:
                return zoom_image(whole, warp, at.zoomed, antialias=area)

            def unzoom(warp: Any = fixed, area: bool = area) -> Any:
                outs = [
                    unzoom_feature(level, warp, [at.zoomed] * 2, at.zoomed, antialias=area)
                    for level in levels
                ]
                return torch.autograd.grad(outs, levels, [out.detach() for out in outs])

            def warp_too(options: Any = options, area: bool = area) -> Any:
                warp = saliency_to_warp(maps, **options)
                return [
                    unzoom_feature(level, warp, [at.zoomed] * 2, at.zoomed, antialias=area)
                    for level in levels
                ]

            cases[f'zoom, {label}'] = zoom
            cases[f'unzoom forward and backward, {label}'] = unzoom
            cases[f'warp and inversion, {label}'] = warp_too
        backbone = nn.Conv2d(3, 8, 3, stride=8, padding=1)
        for name, looks in (('a map', maps[:1]), ('a map per image', lambda images: maps)):
            zoomed = ZoomedBackbone(backbone, looks, scale=0.5, **options).to(device)
            cases[f'ZoomedBackbone forward and backward, {name}, {kind}'] = _train(zoomed, images)
    learns = ZoomedBackbone(nn.Conv2d(3, 8, 3, stride=8, padding=1), SaliencyNet(), 0.5).to(device)
    cases['ZoomedBackbone forward and backward, learns'] = _train(learns, images)
    return cases


def _train(model: nn.Module, images: torch.Tensor) -> Callable[[], Any]:
    return lambda: model(images).square().mean().backward()
