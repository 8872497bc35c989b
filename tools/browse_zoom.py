#!/usr/bin/env python
"""Look at the zoom of a config: one picture per image, from the input to the unzoomed image.

Runs the dataset's pipeline and the model's own data preprocessor, nothing else. With
--image it needs no config. Examples:
    lzu-mm browse-zoom --image street.jpg --saliency horizon:0.45
    lzu-mm browse-zoom configs/retinanet/lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py
    lzu-mm browse-zoom CONFIG --phase val --show-number 5 --output-dir pictures --not-show
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Iterator, Tuple

import cv2
import matplotlib
import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import set_random_seed
from mmengine.utils import track_iter_progress
from mmengine.visualization import Visualizer

from lzu_mm.data_preprocessors import ZoomMixin, ZoomSettings
from lzu_mm.engine import add_cfg_options, load_config, run_tool
from lzu_mm.files import check_writable, replacing
from lzu_mm.saliency.words import saliency_config
from lzu_mm.visualization import draw_zoom, record_image, record_zoom
from lzu_mm.warps.from_saliency import METHODS

# RGB, for datasets that bring none.
PALETTE = (255 * np.array(matplotlib.colormaps['tab20'].colors)).round().tolist()
# What one image alone is enough for.
OF_AN_IMAGE = ('FixedSaliency', 'HorizonSaliency', 'UniformSaliency')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='a config with a zoom data preprocessor')
    parser.add_argument('--image', type=Path, help='an image file to zoom instead of a dataset')
    parser.add_argument(
        '--saliency',
        type=saliency_config,
        metavar='fixed:PATH|uniform|horizon:ROW',
        help='with --image: where to look',
    )
    parser.add_argument(
        '--scale', type=float, default=0.25, help='with --image: of each side (default: 0.25)'
    )
    parser.add_argument(
        '--method', choices=METHODS, default='attraction', help='with --image: the warp'
    )
    parser.add_argument(
        '--output-dir',
        type=Path,
        help='default: work_dirs/<name of the config>/browse_zoom, or work_dirs/browse_zoom',
    )
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--show-number', '-n', type=int, default=20, help='how many images (default: 20)'
    )
    parser.add_argument('--not-show', action='store_true', help='write pictures, open no window')
    parser.add_argument('--show-interval', type=float, default=2, help='seconds per picture')
    parser.add_argument('--width', type=int, default=640, help='of each panel, pixels')
    parser.add_argument('--overwrite', action='store_true', help='replace existing pictures')
    add_cfg_options(parser)
    args = parser.parse_args()
    if (args.config is None) == (args.image is None):
        parser.error('give either a config, or --image and --saliency')
    if (args.image is None) != (args.saliency is None):
        parser.error('--image and --saliency belong together; a config has a saliency of its own')
    if args.width < 1:
        parser.error('--width is a number of pixels, 1 or more')
    return args


def pictures_of_image(args: Namespace) -> Iterator[Tuple[str, np.ndarray]]:
    """The picture of --image, with its name."""
    image = cv2.imread(str(args.image))
    if image is None:
        raise SystemExit(f'error: cannot read an image from {args.image}: check --image')
    kind = args.saliency['type'].rpartition('.')[2]
    if kind not in OF_AN_IMAGE:
        raise SystemExit(
            f'error: {kind} looks by a trained model or by earlier frames: with --image, take '
            '--saliency fixed:PATH, horizon:ROW or uniform'
        )
    settings = ZoomSettings(args.saliency, args.scale, method=args.method)
    record = record_image(image, settings)
    yield args.image.stem, draw_zoom(record, PALETTE, args.width)


def pictures_of_config(args: Namespace) -> Iterator[Tuple[str, np.ndarray]]:
    """The pictures of a config's dataset, with their names."""
    cfg = load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    set_random_seed(0)  # the same random flips for every config, so that pictures compare
    preprocessor = build_preprocessor(cfg)
    dataset = build_dataset(cfg, args.phase)
    palette = dataset.metainfo.get('palette') or PALETTE
    for index in track_iter_progress(list(range(min(args.show_number, len(dataset))))):
        item = dataset[index]
        record = record_zoom(preprocessor, item, training=args.phase == 'train')
        name = f'{index:05d}_{Path(item["data_samples"].img_path).stem}'
        yield name, draw_zoom(record, palette, args.width)


def build_dataset(cfg: Config, phase: str) -> Any:
    """The dataset of a phase."""
    loader = cfg.get(f'{phase}_dataloader')
    if loader is None:
        raise SystemExit(f'error: the config has no {phase}_dataloader')
    try:
        return DATASETS.build(loader['dataset'])
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(
            f'error: cannot read the dataset, or it is empty: {error}. Set '
            f'{phase}_dataloader.dataset.data_root (for mini-street: the environment variable '
            'MINI_STREET)'
        ) from error


def build_preprocessor(cfg: Config) -> ZoomMixin:
    """The data preprocessor of the model, without the model."""
    settings = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    if not settings or 'zoom' not in settings:
        raise SystemExit(
            'error: the config does not zoom: model.data_preprocessor needs a type such as '
            "'lzu_mm.ZoomDetDataPreprocessor' and a zoom=dict(...)"
        )
    preprocessor = MODELS.build(settings)
    preprocessor.link.claimed = True  # by this tool, which unzooms the image itself
    return preprocessor


def main() -> None:
    """Draw or show the pictures."""
    args = parse_args()
    default = Path('work_dirs', *([] if args.image else [Path(args.config).stem]), 'browse_zoom')
    folder = args.output_dir or default
    show = not args.not_show and matplotlib.get_backend().lower() != 'agg'
    window = Visualizer() if show else None
    if args.config:
        check_writable(folder / 'picture.png')

    for name, picture in (pictures_of_image if args.image else pictures_of_config)(args):
        path = folder / f'{name}.png'
        if path.exists() and not args.overwrite:
            raise SystemExit(f'error: {path} exists: use --overwrite or another --output-dir')
        with replacing(path) as draft:
            mmcv.imwrite(picture, str(draft))
        if window is not None:
            window.show(picture[..., ::-1], win_name=path.name, wait_time=args.show_interval)
    print(f'\npictures: {folder}')


if __name__ == '__main__':
    run_tool(main)
