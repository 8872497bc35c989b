#!/usr/bin/env python
"""Time files of LZU against files of plain downsampling, and against PyTorch, in turns.

Stock RetinaNets with untrained weights, whole graph: uint8 image in, boxes out. Example:
    python benchmarks/onnx_speed.py --depth 50 --size 1200 1920 --scale 0.5 --threads 2
"""

import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict

import onnxruntime
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from lzu_mm.deploy import OnnxModel, export_onnx
from lzu_mm.deploy.export import structured_image
from lzu_mm.deploy.tasks import task_of
from lzu_mm.engine import run_tool
from timing.turns import interleave, milliseconds

SALIENCIES: Dict[str, Dict[str, Any]] = {
    'uniform': dict(type='lzu_mm.UniformSaliency'),
    'fixed': dict(type='lzu_mm.HorizonSaliency', row=0.45),
    'adaptive': dict(type='lzu_mm.TemporalSaliency'),
}


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--depth', type=int, choices=(18, 50), default=50, help='of the ResNet')
    parser.add_argument('--size', type=int, nargs=2, default=(1200, 1920), metavar=('H', 'W'))
    parser.add_argument('--scale', type=float, default=0.5, help='of the zoom (default: 0.5)')
    parser.add_argument('--threads', type=int, default=2, help='of both runtimes (default: 2)')
    parser.add_argument('--repeats', type=int, default=15, help='timed calls (default: 15)')
    return parser.parse_args()


def build(depth: int, zoom: Dict[str, Any]) -> Any:
    """A zoomed stock RetinaNet."""
    name = f'mmdet::retinanet/retinanet_r{depth}_fpn_1x_coco.py'
    cfg = Config.fromstring(f'_base_ = {name!r}', '.py').model
    cfg.backbone.init_cfg = None
    cfg.data_preprocessor.update(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom)
    cfg.neck.update(type='lzu_mm.UnzoomNeck', inner='FPN')
    return MODELS.build(dict(cfg, _scope_='mmdet')).eval()


def detections(size: 'tuple[int, int]', count: int = 30) -> torch.Tensor:
    """What adaptive saliency looks at: boxes of the frame before, (count, 5)."""
    draw = torch.Generator().manual_seed(0)
    h, w = size
    corner = torch.rand(count, 2, generator=draw) * torch.tensor([w - 60, h - 40])
    far = corner + torch.tensor([60, 40])
    return torch.cat((corner, far, torch.full((count, 1), 0.9)), dim=1)


def main() -> None:
    """Export, time, print."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    size = (args.size[0], args.size[1])
    pixels = torch.from_numpy(structured_image(size).transpose(2, 0, 1).copy())
    before = detections(size)
    calls: Dict[str, Callable[[], Any]] = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for name, saliency in SALIENCIES.items():
            torch.manual_seed(0)
            model = build(args.depth, dict(scale=args.scale, saliency=saliency))
            path = Path(folder) / f'{name}.onnx'
            print(name, export_onnx(model, path, size), flush=True)
            file, deployed = OnnxModel(path, args.threads), task_of(model, size)
            fields = dict(previous=before) if name == 'adaptive' else {}
            rows = before.numpy() if fields else None
            calls[f'onnxruntime {name}'] = partial(file.run, pixels, rows)
            calls[f'torch {name}'] = partial(deployed.predict, pixels[None], **fields)
        seconds = interleave(list(calls.values()), args.repeats, 2, lambda: None)
    print(f'torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {vars(args)}')
    for name, found in zip(calls, seconds):
        spread = milliseconds(found)
        print(f'{name:20} {spread["median"]:7.1f} ms ({spread["low"]:.1f} to {spread["high"]:.1f})')
    by_name = dict(zip(calls, seconds))
    for one, other in (
        ('onnxruntime fixed', 'onnxruntime uniform'),
        ('onnxruntime adaptive', 'onnxruntime uniform'),
        ('onnxruntime fixed', 'torch fixed'),
        ('onnxruntime adaptive', 'torch adaptive'),
    ):
        pairs = sorted(a / b for a, b in zip(by_name[one], by_name[other]))
        best = min(by_name[one]) / min(by_name[other])
        print(f'{one} / {other}: {pairs[len(pairs) // 2]:.3f} (of the fastest calls {best:.3f})')


if __name__ == '__main__':
    run_tool(main)
