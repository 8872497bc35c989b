#!/usr/bin/env python
r"""Write the child config that switches LZU on for any stock config, or your own.

It swaps the data preprocessor, wraps the neck in lzu_mm.UnzoomNeck, takes crops, mosaics and the
like out of training and slide inference out of testing, and says so in comments. Examples:
    lzu-mm zoomify mmdet::retinanet/retinanet_r50_fpn_1x_coco.py --scale 0.5 \
        --saliency fixed:data/saliency/coco.npz -o configs/lzu_retinanet_r50_fpn_1x_coco.py
    lzu-mm zoomify mine.py --size 256 512 --saliency horizon:0.45 -o lzu_mine.py
"""

import os
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, Dict, List

from mmengine.config import Config

from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.engine import load_config, run_tool
from lzu_mm.files import check_writable, replacing
from lzu_mm.necks.frame import frame_of
from lzu_mm.registry import MODELS
from lzu_mm.saliency.words import SALIENCY, saliency_config
from lzu_mm.warps.from_saliency import METHODS
from lzu_mm.zoomify import (
    child_source,
    settings_of,
    size_before_zoom,
    try_model,
    zoom_config,
)


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('base', help='a config file, or a stock one: mmdet::, mmseg::, mmdet3d::…')
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument('--scale', type=float, help='ratio of each side of the zoomed image')
    target.add_argument(
        '--size', type=int, nargs=2, metavar=('H', 'W'), help='of the zoomed image, instead'
    )
    parser.add_argument('--saliency', type=saliency_config, required=True, metavar=SALIENCY)
    parser.add_argument(
        '--method',
        choices=METHODS,
        default='attraction',
        help="the warp: the paper's attraction (default), or ours, which magnifies by the saliency",
    )
    parser.add_argument(
        '--area-weights', action='store_true', help='unzoom by averages over what a cell stands for'
    )
    parser.add_argument(
        '--frame',
        type=float,
        nargs='+',
        metavar='F',
        help='unzoom to F times the cells, or F_Y F_X; the strides of dense heads follow',
    )
    parser.add_argument('-o', '--out', type=Path, required=True, help='the config to write')
    parser.add_argument('--overwrite', action='store_true', help='replace OUT if it exists')
    return parser.parse_args()


def check_out(args: Namespace) -> None:
    """Refuse to write where it would harm."""
    if args.out.suffix != '.py':
        raise SystemExit(f'error: a config ends in .py, not as {args.out}: set -o')
    if args.out.resolve() == Path(args.base).resolve():
        raise SystemExit(f'error: {args.out} is the base config itself: set -o to another name')
    if args.out.exists() and not args.overwrite:
        raise SystemExit(f'error: {args.out} exists: use --overwrite to replace it, or another -o')
    check_writable(args.out)


def references(args: Namespace) -> 'tuple[str, str]':
    """How to name the base from anywhere, and in the config to be written."""
    if '::' in args.base:
        return args.base, args.base
    path = Path(args.base).resolve()
    if not path.is_file():
        raise SystemExit(
            f'error: no config at {args.base}; stock ones are named mmdet::retinanet/….py'
        )
    relative = Path(os.path.relpath(path, args.out.resolve().parent)).as_posix()
    return path.as_posix(), relative if relative.startswith('.') else f'./{relative}'


def is_pure_python(reference: str) -> bool:
    """Whether a config is one of mmengine's pure Python configs, with classes as types."""
    return '::' not in reference and Config._is_lazy_import(reference)


def module_of(path: str) -> str:
    """How a pure Python config imports another one, given by its path from there."""
    *folders, name = path.split('/')
    up = folders.count('..')
    module = '.' * (up + 1) + '.'.join([*folders[up + folders.count('.') :], name[: -len('.py')]])
    if not all(part.isidentifier() for part in module.strip('.').split('.')):
        raise SystemExit(f'error: {path} cannot be imported by its name: rename it, or set -o')
    return module


def load(reference: str) -> Config:
    """The base config, as a child sees it."""
    try:
        if is_pure_python(reference):
            return Config.fromfile(reference)
        return load_config(reference)
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise SystemExit(f'error: {reference} cannot be the base of a config: {reason}') from error


def zoom_of(args: Namespace) -> Dict[str, Any]:
    """The ``zoom`` of the preprocessor, if its settings are in range."""
    target = dict(size=tuple(args.size)) if args.size else dict(scale=args.scale)
    zoom = {**target, 'saliency': args.saliency}
    if args.method != 'attraction':
        zoom['method'] = args.method
    ZoomSettings(**zoom)
    MODELS.build(trial_zoom(zoom)['saliency'])
    return zoom


def unzoom_of(args: Namespace) -> Dict[str, Any]:
    """Settings of the unzoom neck."""
    unzoom: Dict[str, Any] = {'antialias': True} if args.area_weights else {}
    if args.frame:
        factors = [int(factor) if factor == int(factor) else factor for factor in args.frame]
        unzoom['frame'] = factors[0] if len(factors) == 1 else tuple(factors)
        frame_of(unzoom['frame'])
    return unzoom


def title(args: Namespace) -> str:
    """The sentence that heads the file."""
    kind = args.saliency['type'].rpartition('.')[2].replace('Saliency', '').lower()
    target = '{}x{}'.format(*args.size) if args.size else f'{args.scale}x'
    return (
        f'Learning to Zoom and Unzoom (LZU) at {target} with {kind} saliency, written by '
        'lzu-mm zoomify.'
    )


def trial_zoom(zoom: Dict[str, Any]) -> Dict[str, Any]:
    """The zoom to try the model with: a saliency file may have to be made first."""
    path = zoom['saliency'].get('path')
    if path is None or Path(path).exists():
        return zoom
    return {**zoom, 'saliency': dict(type='lzu_mm.HorizonSaliency', row=0.5)}


def write(
    args: Namespace, source: str, base: Config, expected: Dict[str, Any], zoom: Dict[str, Any]
) -> List[str]:
    """Write the config once it says what it is meant to, and its model runs; what was not tried."""
    # In the same folder, for the relative path of its base.
    with tempfile.NamedTemporaryFile('w', suffix='.py', dir=args.out.parent) as draft:
        draft.write(source)
        draft.flush()
        cfg = Config.fromfile(draft.name)
        if settings_of(cfg) != expected:
            raise SystemExit('error: the base config cannot be extended: write the child by hand')
        untried = try_model(cfg, trial_zoom(zoom), base)
    with replacing(args.out) as whole:
        whole.write_text(source)
    return untried


def report(args: Namespace, config: Dict[str, Any], untried: List[str]) -> None:
    """What was written, and what to do next."""
    print(f'{args.out}: the model builds, and zooms and unzooms an image.', end=' ')
    if untried:
        print(
            'Not tried, because the stock model does not run on images and labels that were made '
            f'up either: {"; ".join(untried)}.',
            end=' ',
        )
    resized = size_before_zoom(config)
    if resized is not None:
        print(
            'Its test pipeline resizes images to {}x{} in front of the zoom, which sees no finer '
            'detail: where yours are larger, set scale of Resize to their width and height, in '
            'both pipelines.'.format(*resized),
            end=' ',
        )
    print('Next:')
    path = args.saliency.get('path')
    if path and not Path(path).exists():
        print(f'  lzu-mm compute-saliency {args.out}   # makes {path}')
    print(f'  lzu-mm browse-zoom {args.out}')
    print(f'  lzu-mm train {args.out}')


def main() -> None:
    """Write the config, or say what to change."""
    args = parse_args()
    check_out(args)
    reference, written = references(args)
    zoom = zoom_of(args)
    stock = load(reference)
    base = settings_of(stock)
    zoomed = zoom_config(base, zoom, unzoom_of(args))
    pure = is_pure_python(reference)
    base_name = module_of(written) if pure else written
    source = child_source(base_name, base, zoomed.config, title(args), zoomed.notes, pure)
    untried = write(args, source, stock, zoomed.config, zoomed.zoom)
    report(args, zoomed.config, untried)


if __name__ == '__main__':
    run_tool(main)
