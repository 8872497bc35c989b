#!/usr/bin/env python
"""Convert the LZU authors' saliency.pkl, a pickled tensor, to the file lzu_mm.FixedSaliency reads.

The tensor may come from a GPU; none is needed here, and no code in the file is run. Examples:
    lzu-mm convert-saliency saliency.pkl data/saliency/nuscenes.npz
    lzu-mm convert-saliency IN OUT --info dataset=nuScenes split=train
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from mmengine.config import DictAction
from torch import Tensor

from lzu_mm.engine import run_tool
from lzu_mm.files import check_writable
from lzu_mm.saliency import save_saliency
from lzu_mm.saliency.pickled import load_pickled_tensor


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('input', type=Path, help='a tensor, written by pickle or torch.save')
    parser.add_argument('out', type=Path, help='the .npz to write')
    parser.add_argument(
        '--info',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='what the map was made from, to be noted in the file',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace a file that is there')
    return parser.parse_args()


def as_map(tensor: Tensor) -> Tensor:
    """A map (h_S, w_S), of a tensor that may have leading dimensions of one."""
    while tensor.ndim > 2 and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor


def main() -> None:
    """Convert."""
    args = parse_args()
    if args.out.exists() and not args.overwrite:
        raise SystemExit(f'error: {args.out} exists: use --overwrite or another name')
    check_writable(args.out)
    saliency = as_map(load_pickled_tensor(args.input)).double()
    info = {'method': 'converted', 'source': args.input.name, **args.info}
    save_saliency(args.out, saliency, info)
    print('saliency of {} x {} cells: {}'.format(*saliency.shape, args.out))


if __name__ == '__main__':
    run_tool(main)
