#!/usr/bin/env python
r"""Write a model as one ONNX file, from the image that the pipeline hands over to results.

The file is compared with PyTorch before it gets its name. It needs the extra: pip install
"lzu_mm[deploy]". Examples:
    lzu-mm export-onnx CONFIG CHECKPOINT --size 1200 1920 --out end2end.onnx
    lzu-mm export-onnx CONFIG CHECKPOINT --size 800 1360 --out end2end.onnx --image a.jpg
"""

import os.path as osp
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Union

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint_to_model

from lzu_mm.deploy import export_onnx
from lzu_mm.engine import (
    add_cfg_options,
    check_weights,
    load_config,
    read_checkpoint,
    run_tool,
)
from lzu_mm.files import check_writable


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='the config of the model')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        required=True,
        metavar=('H', 'W'),
        help='the size of the images that the file takes: what the test pipeline hands over, before'
        ' the zoom',
    )
    parser.add_argument('--out', type=Path, required=True, help='the new file, .onnx')
    parser.add_argument(
        '--original-size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='the size of the originals that the test pipeline resizes to --size, for temporal '
        'saliency, which reckons in their pixels (default: --size)',
    )
    parser.add_argument('--opset', type=int, default=18, help='of ONNX, 18 or 19 (default: 18)')
    parser.add_argument(
        '--image', help='an image of that size to compare on (default: one that is drawn)'
    )
    parser.add_argument(
        '--no-verify', action='store_true', help='do not compare the file with PyTorch'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def check_args(args: Namespace) -> None:
    """Refuse what would fail later, or overwrite a file."""
    for path in (args.config, args.checkpoint, args.image):
        if path and '://' not in path and not osp.isfile(path):
            raise SystemExit(f'error: there is no file {path}')
    if args.out.exists():
        raise SystemExit(f'error: --out {args.out} exists; remove it or choose another name')
    if args.image and args.no_verify:
        raise SystemExit('error: --image is what to compare on: leave out --no-verify')
    check_writable(args.out)


def build_model(args: Namespace) -> Any:
    """The model of the config with the weights of the checkpoint, all of them and no others."""
    cfg = load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    if cfg.get('default_scope') is None:
        raise SystemExit(f"error: {args.config} sets no default_scope ('mmdet', 'mmseg')")
    __import__(f'{cfg.default_scope}.utils', fromlist=['utils']).register_all_modules(False)
    init_default_scope(cfg.default_scope)
    model: Any = MODELS.build(cfg.model)
    try:
        checkpoint = read_checkpoint(args.checkpoint)
        _load_checkpoint_to_model(model, checkpoint, strict=True)
        check_weights(model, checkpoint, args.checkpoint)
    except RuntimeError as error:
        reason = ' '.join(str(error).split())
        raise SystemExit(
            f'error: {args.checkpoint} is not of the model in {args.config}: {reason}'
        ) from error
    model.cfg = cfg
    model.dataset_meta = dataset_meta(cfg, checkpoint)
    return model


def dataset_meta(cfg: Config, checkpoint: dict) -> dict:
    """Classes and palette: as the checkpoint says, or else the test dataset of the config."""
    meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
    if meta:
        return {key.lower(): value for key, value in meta.items()}
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    kind = dataset.get('type')
    if isinstance(kind, str):
        kind = DATASETS.get(kind if '.' in kind else f'{cfg.default_scope}.{kind}')
    return {**getattr(kind, 'METAINFO', {}), **dataset.get('metainfo', {})}


def read_image(args: Namespace) -> Union[np.ndarray, bool]:
    """What to compare on."""
    if not args.image:
        return not args.no_verify
    import mmcv

    image = mmcv.imread(args.image)
    if image.shape[:2] != tuple(args.size):
        raise SystemExit(f'error: {args.image} is of {image.shape[:2]}, not of --size {args.size}')
    return image


def main() -> None:
    """Export."""
    args = parse_args()
    check_args(args)
    image = read_image(args)
    model = build_model(args)
    original = args.original_size and tuple(args.original_size)
    found = export_onnx(model, args.out, tuple(args.size), args.opset, image, original)
    for name, value in found.items():
        print(f'largest difference to test_step, {name}: {value:.3g}')
    print(f'{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    run_tool(main)
