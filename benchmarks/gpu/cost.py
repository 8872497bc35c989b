"""What zoom, warp and unzoom cost, beside plain ``grid_sample``."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gpu.clock import Setting, attempt, captured, count_kernels, is_lost, show, take_turns
from gpu.scenes import CHANNELS, noise, saliency, sizes
from lzu_mm.warps import SeparableWarp, Warp, saliency_to_warp, unzoom_feature, zoom_image
from lzu_mm.warps.cells import cell_axes
from lzu_mm.warps.fused import fused_kernels

Functions = 'dict[str, Callable[[], Any]]'


def run(setting: Setting) -> list[dict[str, Any]]:
    """All tables; a row each."""
    rows: list[dict[str, Any]] = []
    most = _batches(setting)[1]
    makers = {
        'zoom': _zoom,
        **{f'warp and inversion, {n} images': _inversion(n) for n in _batches(setting)},
        **{f'unzoom, {n} images': _unzoom(n, torch.float32) for n in _batches(setting)[:2]},
        f'unzoom, {most} images, bfloat16': _unzoom(most, torch.bfloat16),
        f'unzoom forward and backward, {most} images': _unzoom(most, torch.float32, trained=True),
    }
    for name, make in makers.items():
        if not setting.wants(name):
            continue
        if setting.left() < 5 and not setting.quick:
            rows.append({'name': name, 'skipped': 'no time is left'})
            print(f'{name}: skipped, no time is left')
            continue
        attempt(name, partial(_row, name, make, setting), rows, setting)
    return rows


def _batches(setting: Setting) -> tuple[int, ...]:
    return (1, 2) if setting.quick else (1, 8, 64)


def _row(name: str, make: Callable[[Setting], Any], setting: Setting) -> dict[str, Any]:
    functions, base = make(setting)
    row: dict[str, Any] = {'ms': take_turns(functions, setting)}
    show(f'{name}, eager', row['ms'], base)
    if setting.device.type != 'cuda':
        return row
    graphs: dict[str, Any] = {}
    row['not captured'] = {}
    for key, function in functions.items():
        try:
            graphs[key] = captured(function)
        except Exception as error:
            if is_lost():
                raise
            row['not captured'][key] = f'{type(error).__name__}: {str(error)[:200]}'
            print(f'{name}, {key}: not captured, {row["not captured"][key]}')
    row['graph ms'] = take_turns(graphs, setting)
    show(f'{name}, graph', row['graph ms'], base)
    if base is None:
        _count(row, functions)
    return row


def _count(row: dict[str, Any], functions: dict[str, Callable[[], Any]]) -> None:
    """Add the number of kernels of each function, where the profiler works."""
    try:
        row['kernels'] = {key: count_kernels(function) for key, function in functions.items()}
    except Exception as error:
        row['kernels'] = str(error)
    print(f'kernels: {row["kernels"]}')


def _zoom(setting: Setting) -> tuple[Functions, str]:
    """One uint8 image, the warp known."""
    at, device = sizes(setting), setting.device
    image = (noise(3, *at.source) * 255).to(device, torch.uint8)
    warp = saliency_to_warp(saliency(1, device))
    oblique = saliency_to_warp(saliency(1, device), separable=False)
    grid = warp.zoom_grid(at.zoomed)

    def ours(warp: Warp, area: bool, fused: bool) -> Tensor:
        with fused_kernels(fused):
            return zoom_image(image, warp, at.zoomed, antialias=area)

    return {
        'grid_sample': lambda: F.grid_sample(
            image[None].float(), grid, padding_mode='border', align_corners=False
        ),
        **{
            f'zoom{name}': partial(ours, warp, False, fused) for fused, name in setting.ways.items()
        },
        'non-separable': partial(ours, oblique, False, False),
        **{
            f'by area{name}': partial(ours, warp, True, fused)
            for fused, name in setting.ways.items()
        },
        'interpolate by area': lambda: F.interpolate(
            image[None].float(), at.zoomed, mode='bilinear', antialias=True
        ),
    }, 'grid_sample'


def _inversion(batch: int) -> Callable[[Setting], tuple[Functions, None]]:
    """From a map per image to the rows and columns of five levels."""

    def make(setting: Setting) -> tuple[Functions, None]:
        at, device = sizes(setting), setting.device
        maps = saliency(batch, device)

        def invert(maps: Tensor, **options: Any) -> Any:
            warp = saliency_to_warp(maps, **options)
            assert isinstance(warp, SeparableWarp)
            found = []
            for level in at.levels:
                x, y = cell_axes(level, [at.zoomed] * batch, at.zoomed, warp.knots_like)
                found.append(x.index_of(warp.map_x(x.position, inverse=True)))
                found.append(y.index_of(warp.map_y(y.position, inverse=True)))
            return found

        def ours(fused: bool, method: str) -> Any:
            with fused_kernels(fused):
                return invert(maps, method=method)

        functions: dict[str, Callable[[], Any]] = {
            f'{method}{way}': partial(ours, fused, method)
            for method in ('attraction', 'equalise')
            for fused, way in setting.ways.items()
        }
        return functions, None

    return make


def _unzoom(
    batch: int, dtype: torch.dtype, trained: bool = False
) -> Callable[[Setting], tuple[Functions, str]]:
    """Five levels, the warps known."""

    def make(setting: Setting) -> tuple[Functions, str]:
        at, device = sizes(setting), setting.device
        levels = [noise(batch, CHANNELS, *level).to(device, dtype) for level in at.levels]
        pulls = [torch.rand_like(level) for level in levels]
        warp = saliency_to_warp(saliency(batch, device))
        grids = [warp.unzoom_grid(level).to(dtype) for level in at.levels]
        if trained:
            levels = [level.requires_grad_() for level in levels]

        def plain() -> Any:
            return [_plain(*pair) for pair in zip(levels, grids)]

        def ours(area: bool, fused: bool) -> Any:
            with fused_kernels(fused):
                return [
                    unzoom_feature(level, warp, [at.zoomed] * batch, at.zoomed, antialias=area)
                    for level in levels
                ]

        functions = {'grid_sample': plain}
        for fused, way in setting.ways.items():
            functions[f'point-sampled{way}'] = partial(ours, False, fused)
            functions[f'by area{way}'] = partial(ours, True, fused)
        if trained:
            functions = {
                key: partial(_and_backward, function, levels, pulls)
                for key, function in functions.items()
            }
        return functions, 'grid_sample'

    return make


def _and_backward(function: Any, inputs: list[Tensor], pulls: list[Tensor]) -> Any:
    return torch.autograd.grad(function(), inputs, pulls)


def _plain(feature: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(feature, grid, padding_mode='border', align_corners=False)
