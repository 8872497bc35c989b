"""Whole detectors: torchvision's RetinaNet-R50, uniform, and zoomed by one map or a map each."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gpu.clock import Setting, attempt, captured, free_memory, show, take_turns
from gpu.scenes import noise, saliency, sizes
from lzu_mm.nn import ZoomedBackbone
from lzu_mm.warps.fused import fused_kernels

# And whether by the fused kernels.
KINDS = {
    'uniform': False,
    'LZU fixed': False,
    'LZU fixed, fused': True,
    'LZU adaptive': False,
    'LZU adaptive, fused': True,
}


def run(setting: Setting) -> list[dict[str, Any]]:
    """Eager and as CUDA graphs; the dearest last."""
    cases = [
        (scale, batch, mode, dtype)
        for scale in (0.5, 1.0)
        for batch in ((1, 2) if setting.quick else (1, 8))
        for dtype in (torch.float32, torch.bfloat16)
        for mode in ('eager', 'graph')
    ]
    return _rows([c for c in cases if not setting.quick or c[0] == 0.5], setting)


def run_compiled(setting: Setting) -> list[dict[str, Any]]:
    """By ``torch.compile``, most of whose time goes to compiling."""
    cases = [(0.5, 8, 'compiled', torch.bfloat16), (0.5, 1, 'compiled', torch.float32)]
    if setting.device.type != 'cuda':
        return [{'name': 'compiled', 'skipped': 'takes a GPU'}]
    return _rows(cases, setting, needed=60)


def _rows(cases: list[Any], setting: Setting, needed: float = 15) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    model = _retinanet(setting).to(setting.device).eval()
    for scale, batch, mode, dtype in cases:
        name = f'RetinaNet-R50 at {scale}x, {batch} images, {str(dtype)[6:]}, {mode}'
        if not setting.wants(name) or (mode == 'graph' and setting.device.type != 'cuda'):
            continue
        if setting.left() < (0 if setting.quick else needed):
            rows.append({'name': name, 'skipped': 'no time is left'})
            print(f'{name}: skipped, no time is left')
            continue
        row = partial(_row, name, model, scale, batch, mode, dtype, setting)
        attempt(name, row, rows, setting)
        free_memory(setting.device)
    return rows


def _retinanet(setting: Setting) -> nn.Module:
    from torchvision.models.detection import retinanet_resnet50_fpn

    torch.manual_seed(0)
    h, w = sizes(setting).source
    return retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=9, min_size=h, max_size=w
    )


@torch.no_grad()
def _row(
    name: str,
    model: Any,
    scale: float,
    batch: int,
    mode: str,
    dtype: torch.dtype,
    setting: Setting,
) -> dict[str, Any]:
    model.to(dtype)
    images = noise(batch, 3, *sizes(setting).source).to(setting.device, dtype)
    functions = {}
    for kind, fused in KINDS.items():
        if fused not in setting.ways:
            continue
        zoomed = _zoomed(model.backbone, kind, scale, batch, setting)
        function = partial(_dense, model, zoomed, images, fused)
        if mode == 'compiled':
            # The kernels are those of the compiler.
            if fused:
                continue
            dense = torch.compile(_plain_dense)
            function = partial(dense, model, zoomed, images)
            begin = time.monotonic()
            function()
            taken = time.monotonic() - begin
            print(f'{name}, {kind}: compiled in {taken:.0f} s', flush=True)
            if setting.left() < 1.3 * taken:
                raise TimeoutError(f'{kind} took {taken:.0f} s to compile, no time for the next')
        functions[kind] = captured(function) if mode == 'graph' else function
    times = take_turns(functions, setting)
    show(name, times, 'uniform')
    return {'ms': times}


def _zoomed(
    backbone: nn.Module, kind: str, scale: float, batch: int, setting: Setting
) -> ZoomedBackbone:
    maps = saliency(batch, setting.device)
    looks: dict[str, Any] = {
        'uniform': 'uniform',
        'LZU fixed': maps[:1],
        'LZU adaptive': lambda images: maps,
    }
    return ZoomedBackbone(backbone, looks[kind.split(',')[0]], scale=scale).to(setting.device)


def _dense(model: Any, backbone: nn.Module, images: Tensor, fused: bool) -> Any:
    """All but the choice of boxes, which waits for the device."""
    with fused_kernels(fused):
        return _plain_dense(model, backbone, images)


def _plain_dense(model: Any, backbone: nn.Module, images: Tensor) -> Any:
    return model.head(list(backbone(images).values()))
