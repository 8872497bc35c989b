#!/usr/bin/env python
"""Time zoom, inversion and unzoom against the same work done plainly.

python benchmarks/warps.py
python benchmarks/warps.py --threads 1 --out benchmarks/results/warps.json
"""

import json
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Callable

import torch
import torch.nn.functional as F
from rich.progress import track

from lzu_mm.engine import run_tool
from lzu_mm.files import check_writable, replacing
from lzu_mm.warps import SeparableWarp, Warp, saliency_to_warp, unzoom_feature, zoom_image
from report.environment import describe_machine
from report.tables import markdown
from timing.plain import invert_by_cells, normalise_then_zoom
from timing.stages import synchroniser
from timing.turns import interleave, milliseconds

SOURCE, ZOOMED = (1200, 1920), (600, 960)
# The canvas is padded to a multiple of 32; five levels of an FPN lie on it.
CANVAS = (608, 960)
LEVELS = ((76, 120), (38, 60), (19, 30), (10, 15), (5, 8))
CHANNELS = 256
# Name, our function, and the plain way that it is compared with.
Case = 'tuple[str, Callable[[], Any], Callable[[], Any]]'


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=int, help='CPU threads (default: all)')
    parser.add_argument('--repeats', type=int, default=20)
    parser.add_argument('--out', type=Path, help='.json file for the times')
    return parser.parse_args()


def saliency(batch: int, device: str) -> torch.Tensor:
    """Maps of ordinary contrast, all different."""
    torch.manual_seed(0)
    coarse = torch.rand(batch, 1, 5, 8) ** 3
    return F.interpolate(coarse, (31, 51), mode='bicubic').clamp_min(0.02).to(device)


def knots_of(warp: Warp) -> torch.Tensor:
    """T at the knots, (N, h_S, w_S, 2)."""
    if not isinstance(warp, SeparableWarp):
        return warp.knots
    x, y = warp.knots_x, warp.knots_y
    h, w = y.shape[1], x.shape[1]
    return torch.stack((x[:, None].expand(-1, h, -1), y[..., None].expand(-1, -1, w)), dim=-1)


def zoom_cases(device: str) -> 'list[Case]':
    """Zoom of a uint8 image to a normalised one."""
    image = torch.randint(0, 256, (3, *SOURCE), dtype=torch.uint8, device=device)
    mean = torch.tensor([103.53, 116.28, 123.675], device=device).view(3, 1, 1)
    std = torch.tensor([57.4, 57.1, 58.4], device=device).view(3, 1, 1)
    cases = []
    for name, separable, antialias in (
        ('zoom', True, False),
        ('zoom, non-separable', False, False),
        ('zoom, anti-aliased', True, True),
    ):
        warp = saliency_to_warp(saliency(1, device), separable=separable)
        grid = warp.zoom_grid(ZOOMED)

        def ours(warp: Warp = warp, antialias: bool = antialias) -> torch.Tensor:
            return zoom_image(image, warp, ZOOMED, antialias=antialias).sub_(mean).div_(std)

        def plain(grid: torch.Tensor = grid) -> torch.Tensor:
            return normalise_then_zoom(image, grid, mean, std)

        if not antialias:
            levels = ((ours() - plain()) * std).abs().max()
            assert levels < 1, f'{name}: {levels} grey levels apart'
        cases.append((f'{name}: uint8 {SOURCE} to {ZOOMED}', ours, plain))
    return cases


def inversion_cases(device: str) -> 'list[Case]':
    """Adaptive warps, inverted for all levels."""
    if device != 'cpu':
        return []
    cases = []
    for separable in (True, False):
        for batch in (1, 8):
            maps = saliency(batch, device)
            knots = knots_of(saliency_to_warp(maps, separable=separable))

            def ours(knots: torch.Tensor = knots, separable: bool = separable) -> Any:
                warp = warp_of(knots, separable)
                return [invert(warp, level) for level in LEVELS]

            def plain(knots: torch.Tensor = knots, separable: bool = separable) -> Any:
                return [invert_by_cells(knots, level, separable) for level in LEVELS]

            for one, other in zip(ours(), plain()):
                torch.testing.assert_close(as_points(one), other, atol=1e-4, rtol=0)
            kind = 'separable' if separable else 'non-separable'
            cases.append((f'invert {kind} warps for five levels, batch {batch}', ours, plain))
    return cases


def warp_of(knots: torch.Tensor, separable: bool) -> Warp:
    """A warp with nothing cached."""
    from lzu_mm.warps import BilinearWarp

    return SeparableWarp(knots[:, 0, :, 0], knots[:, :, 0, 1]) if separable else BilinearWarp(knots)


def invert(warp: Warp, size: 'tuple[int, int]') -> Any:
    """What unzooming needs: columns and rows of a separable warp, points of any other."""
    like = warp.knots_like
    x = ((torch.arange(size[1], device=like.device) + 0.5) / size[1])[None]
    y = ((torch.arange(size[0], device=like.device) + 0.5) / size[0])[None]
    if isinstance(warp, SeparableWarp):
        return warp.map_x(x, inverse=True), warp.map_y(y, inverse=True)
    return warp.raster(x, y, inverse=True, inside=True)


def as_points(inverse: Any) -> torch.Tensor:
    """The points (N, h, w, 2) of either kind of warp."""
    if isinstance(inverse, torch.Tensor):
        return inverse
    x, y = inverse
    h, w = y.shape[1], x.shape[1]
    return torch.stack((x[:, None].expand(-1, h, -1), y[..., None].expand(-1, -1, w)), dim=-1)


def unzoom_cases(device: str) -> 'list[Case]':
    """Features of five levels, beside one ``grid_sample`` per level with a ready grid."""
    cases = []
    warp = saliency_to_warp(saliency(1, device))
    grids = [warp.unzoom_grid(level) for level in LEVELS]
    for name, memory_format in (
        ('', torch.contiguous_format),
        (', channels last', torch.channels_last),
    ):
        levels = [
            torch.rand(1, CHANNELS, *level, device=device).contiguous(memory_format=memory_format)
            for level in LEVELS
        ]

        def ours(levels: Any = levels) -> Any:
            return [unzoom_feature(level, warp, [ZOOMED], CANVAS) for level in levels]

        def plain(levels: Any = levels) -> Any:
            return [
                F.grid_sample(level, grid, padding_mode='border', align_corners=False)
                for level, grid in zip(levels, grids)
            ]

        cases.append((f'unzoom five levels of {CHANNELS} channels{name}', ours, plain))
        inputs = [level.clone().requires_grad_() for level in levels]
        cases.append(
            (f'… forward and backward{name}', *(_trained(f, inputs) for f in (ours, plain)))
        )
    return cases


def _trained(function: 'Callable[..., Any]', inputs: 'list[torch.Tensor]') -> 'Callable[[], Any]':
    gradients = [torch.rand_like(level) for level in inputs]
    return lambda: torch.autograd.grad(function(inputs), inputs, gradients)


def main() -> None:
    """Time and print."""
    args = parse_args()
    if args.out:
        check_writable(args.out)
    if args.threads:
        torch.set_num_threads(args.threads)
    cases = [*zoom_cases(args.device), *inversion_cases(args.device), *unzoom_cases(args.device)]
    synchronise = synchroniser(torch.device(args.device))
    results = []
    for name, ours, plain in track(cases, description='warps'):
        seconds = interleave((ours, plain), args.repeats, 2, synchronise)
        one, other = (milliseconds(found) for found in seconds)
        results.append({'name': name, 'ours': one, 'plain': other})
    rows = [
        [
            result['name'],
            *(f'{result[k]["median"]:.2f}' for k in ('ours', 'plain')),
            f'{result["ours"]["median"] / result["plain"]["median"]:.3f}',
        ]
        for result in results
    ]
    machine = {**describe_machine(), 'threads': torch.get_num_threads()}
    print(json.dumps(machine))
    print(markdown(['ms', 'lzu_mm', 'plainly', 'ratio'], rows))
    if args.out:
        with replacing(args.out) as draft:
            draft.write_text(json.dumps({'machine': machine, 'results': results}, indent=1) + '\n')


if __name__ == '__main__':
    run_tool(main)
