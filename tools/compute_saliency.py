#!/usr/bin/env python
"""Compute the fixed saliency S_D of a dataset, from the boxes or label maps of its training set.

Reads the training set of any config of MMDetection, MMSegmentation or MMDetection3D and writes the
file that lzu_mm.FixedSaliency reads, with a picture beside it. Examples:
    lzu-mm compute-saliency configs/pspnet/lzu-fixed_pspnet_r50-d8_cityscapes-256x256.py
    lzu-mm compute-saliency CONFIG --out data/saliency/mine.npz --grid-shape 27 48
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Optional, Tuple

import mmcv
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import track_iter_progress

from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.datasets.ground_truth import base_datasets, image_size_of
from lzu_mm.engine import add_cfg_options, check_classes, load_config, run_tool
from lzu_mm.files import check_writable, replacing
from lzu_mm.pipelines import type_name
from lzu_mm.saliency import load_saliency, save_saliency
from lzu_mm.saliency.estimation.dataset import (
    METHODS,
    DatasetSaliency,
    NoLabelsError,
    dataset_saliency,
    default_grid_shape,
    saliency_method,
)
from lzu_mm.saliency.estimation.magnification import (
    cells_as_boxes,
    describe_magnification,
    magnification,
    same_aspect,
    share_below,
)
from lzu_mm.visualization import draw_saliency, mean_image
from lzu_mm.warps import saliency_to_warp


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config whose dataset is to be read')
    parser.add_argument(
        '--out', type=Path, help='the .npz to write (default: the saliency.path of the config)'
    )
    parser.add_argument(
        '--method',
        choices=METHODS,
        help="default: boxes where the dataset has them, or centres for zoom.method='equalise'; "
        'else boundaries',
    )
    parser.add_argument(
        '--grid-shape',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='cells of the map (default: 31 51 for boxes, 27 48 in 3D, 45 45 for boundaries)',
    )
    parser.add_argument(
        '--bandwidth', type=float, default=64.0, help='of the boxes, pixels (default: 64)'
    )
    parser.add_argument(
        '--amplitude', type=float, default=1.0, help='of the boxes, over the floor (default: 1)'
    )
    parser.add_argument(
        '--sigma',
        type=float,
        nargs=2,
        metavar=('Y', 'X'),
        help='blur of the centres, cells (default: chosen by cross-validation)',
    )
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--allow-evaluation-split',
        action='store_true',
        help='use labels of images that the model is evaluated on: results are then no longer fair',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a file made with other settings'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def configured_path(setting: Any) -> Optional[str]:
    """The first ``path`` of a FixedSaliency anywhere below a setting of the config."""
    if isinstance(setting, (list, tuple)):
        return next(filter(None, map(configured_path, setting)), None)
    if not isinstance(setting, dict):
        return None
    if type_name(setting) == 'FixedSaliency':
        return setting.get('path')
    return configured_path(list(setting.values()))


def configured_zoom(model: Any) -> Optional[dict]:
    """The ``zoom`` of a model's data preprocessor, if it has one."""
    preprocessor = (model or {}).get('data_preprocessor') or {}
    zoom = preprocessor.get('zoom')
    return None if zoom is None else dict(zoom)


def output_path(args: Namespace, cfg: Config) -> Path:
    """Where to write."""
    path = args.out or configured_path(cfg.get('model'))
    if path is None:
        raise SystemExit('error: the config has no lzu_mm.FixedSaliency with a path: set --out')
    if Path(path).suffix != '.npz':
        raise SystemExit(f'error: a saliency file ends in .npz, not as {path}: set --out')
    return Path(path)


def made_with(path: Path) -> dict:
    """The settings that an existing file was made with; none if it is not ours."""
    try:
        return load_saliency(path)[1]
    except ValueError:
        return {}


def may_write(path: Path, settings: dict, overwrite: bool) -> bool:
    """Whether to go on; refuses to replace another map unless told to."""
    if overwrite or not path.exists():
        return True
    found = made_with(path)
    other = [key for key, value in settings.items() if found.get(key) != value]
    if not other:
        print(
            f'{path} is there already, made with these settings (--overwrite makes it anew, and '
            'tells the magnification)'
        )
        return False
    differences = '; '.join(f'{key}: {found.get(key)} -> {settings[key]}' for key in other)
    raise SystemExit(
        f'error: {path} was made with other settings ({differences}): use --overwrite to replace '
        'it, or --out to write elsewhere'
    )


def build_dataset(args: Namespace, cfg: Config) -> Any:
    """The dataset of the split."""
    if args.split != 'train' and not args.allow_evaluation_split:
        raise SystemExit(
            f'error: --split {args.split} looks at the labels that the model is evaluated on; '
            'S_D belongs to the training set. Use --allow-evaluation-split if that is meant'
        )
    loader = cfg.get(f'{args.split}_dataloader')
    if not isinstance(loader, dict) or 'dataset' not in loader:
        raise SystemExit(f'error: the config has no {args.split}_dataloader with a dataset')
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    try:
        dataset = DATASETS.build(loader['dataset'])
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(
            f'error: cannot read the dataset, or no image of it is left: {error}. Check '
            f'{args.split}_dataloader.dataset: data_root (for mini-street the environment variable '
            'MINI_STREET), ann_file, and metainfo.classes, letter by letter'
        ) from error
    check_classes(dataset)
    return dataset


def main() -> None:
    """Compute and write."""
    args = parse_args()
    cfg = load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    path = output_path(args, cfg)
    check_writable(path)
    dataset = build_dataset(args, cfg)

    zoom = configured_zoom(cfg.get('model')) or {}
    method = args.method or saliency_method(dataset)
    if args.method is None and method == 'boxes' and zoom.get('method') == 'equalise':
        method = 'centres'
    settings = {
        'dataset': type(dataset).__name__,
        'ann_file': str(cfg[f'{args.split}_dataloader']['dataset'].get('ann_file', '')),
        'split': args.split,
        'images': len(dataset),
        'method': method,
        'grid_shape': list(args.grid_shape or default_grid_shape(dataset, method)),
    }
    if method == 'boxes':
        settings.update(bandwidth=args.bandwidth, amplitude=args.amplitude)
    if args.sigma and method != 'centres':
        raise SystemExit(f'error: --sigma blurs centres: it does nothing for --method {method}')
    if args.sigma:
        settings['sigma'] = args.sigma
    if not may_write(path, settings, args.overwrite):
        return

    try:
        found = dataset_saliency(
            dataset,
            method,
            tuple(settings['grid_shape']),
            args.bandwidth,
            args.amplitude,
            tuple(args.sigma) if args.sigma else None,
            zoom.get('uniform_share', 0.1),
            track=track_iter_progress,
        )
    except NoLabelsError as error:
        raise SystemExit(
            f'error: {settings["ann_file"] or settings["dataset"]}: {error} in {len(dataset)} '
            'images, so there is nothing to look at. Check the annotations, the classes and the '
            'size of the boxes'
        ) from error
    first = next(base_datasets(dataset))
    size = image_size_of(first.get_data_info(0), getattr(first, 'backend_args', None))
    notes = {**settings, **found.notes, 'count': found.count, 'image_size': size}
    save_saliency(path, found.map, notes)
    picture = path.with_suffix('.png')
    with replacing(picture) as draft:
        mmcv.imwrite(draw_saliency(mean_image(dataset), found.map), str(draft))
    what = 'label maps' if method == 'boundaries' else 'boxes'
    print(f'\nsaliency of {found.count} {what}: {path}')
    print(f'over the mean image: {picture}')
    print_magnification(found, zoom, size)


def print_magnification(found: DatasetSaliency, zoom: dict, source: Tuple[int, int]) -> None:
    """Tell by how much objects get larger than after a uniform resize, and so whether it helps."""
    # Neither scale nor size changes the warp.
    settings = ZoomSettings(**{**(zoom or {'scale': 1}), 'saliency': dict(type='UniformSaliency')})
    warp = saliency_to_warp(found.map[None, None], **settings.warp_options())
    if len(found.boxes):
        factors, weights = magnification(found.boxes, warp), None
    else:
        boxes, weights = cells_as_boxes(found.map)
        factors = magnification(boxes, warp)
    what = 'objects' if len(found.boxes) else 'boundaries'
    print(f'magnification of {what} by zoom.method={settings.method!r}, beside a uniform resize:')
    for name, row in describe_magnification(factors, weights).items():
        print(
            f'  {name:>4}: median {row["median"]:.2f}, 10 % below {row["p10"]:.2f}, '
            f'10 % above {row["p90"]:.2f}, geometric mean {row["mean"]:.2f}'
        )
    if zoom and len(found.boxes):
        aspect = same_aspect(found.map, warp) if settings.size == 'auto' else (1, 1)
        shape = settings.output_size(source, aspect)
        plain, zoomed = share_below(found.boxes, factors, shape)
        print(
            'objects below 8 pixels (root of the area) where {}x{} becomes {}x{}: '.format(
                *source, *shape
            )
            + f'{100 * plain:.0f} % in a uniform resize, {100 * zoomed:.0f} % zoomed'
        )


if __name__ == '__main__':
    run_tool(main)
