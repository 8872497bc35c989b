#!/usr/bin/env python
"""Train torchvision's RetinaNet on traffic signs through lzu_mm.nn, without any MM library.

Uniform downsampling or LZU with the equalising warp, both at 0.25x: `--zoom` is all that differs.
The map is made from the boxes of the training frames. Takes torch, torchvision and pycocotools, and
data/gtsdb as tools/dataset_converters/gtsdb.py writes it. Example:
    python benchmarks/torchvision_gtsdb.py --zoom equalise --results runs.jsonl
"""

import json
import random
import time
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, Dict, List

import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn
from torchvision.io import decode_image, read_file
from torchvision.models import mobilenet_v2
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops import FrozenBatchNorm2d, box_convert

from lzu_mm.nn import ZoomedBackbone
from lzu_mm.saliency.estimation.centres import CentreSaliency
from report.environment import describe_machine
from report.results import Run, append_run

# What the backbone is given, (h, w): about the 800x1360 of the frames. torchvision rounds strides
# to whole pixels of it, so that both sides are multiples of the coarsest stride, 32 at 0.25x.
SIZE = (768, 1408)
# Outputs of MobileNetV2 with strides 4, 8 and 16, and their channels; a pooled level follows.
LEVELS, CHANNELS = {'3': 'p2', '6': 'p3', '13': 'p4'}, [24, 32, 96]
# Signs are 16 to 124 pixels wide, and about square.
ANCHORS = [tuple(round(side * 2 ** (k / 3)) for k in range(3)) for side in (16, 32, 64, 128)]
NAMES = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--zoom', choices=('uniform', 'equalise'), required=True)
    parser.add_argument('--frame', type=float, default=1, help='see lzu_mm.nn.Zoom (default: 1)')
    parser.add_argument('--data', type=Path, default=Path('data/gtsdb'))
    parser.add_argument(
        '--weights', type=Path, help="MobileNetV2's, of ImageNet, as mmdet has them"
    )
    parser.add_argument('--results', type=Path, help='the .jsonl file that the run is appended to')
    parser.add_argument('--epochs', type=int, default=5)
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--lr', type=float, default=5e-4)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


class Frames:
    """The frames of a split and their boxes."""

    def __init__(self, data: Path, split: str, device: str) -> None:
        with redirect_stdout(StringIO()):
            self.coco = COCO(str(data / f'{split}.json'))
        self.folder, self.device = data / 'images', device
        self.ids = sorted(self.coco.imgs)
        # Whatever the numbers of the categories, labels count from 0.
        self.categories = sorted(self.coco.cats)

    def image(self, number: int) -> Tensor:
        """The frame (3, H, W), in [0, 1]."""
        path = self.folder / self.coco.imgs[number]['file_name']
        return decoded(str(path)).to(self.device).float().div_(255)

    def target(self, number: int) -> Dict[str, Tensor]:
        """Its boxes (K, 4) as (x1, y1, x2, y2), and their labels."""
        found = self.coco.imgToAnns[number]
        boxes = torch.tensor([a['bbox'] for a in found], dtype=torch.float32).view(-1, 4)
        boxes = box_convert(boxes, 'xywh', 'xyxy')
        labels = torch.tensor([self.categories.index(a['category_id']) for a in found])
        return {'boxes': boxes.to(self.device), 'labels': labels.long().to(self.device)}


@lru_cache(maxsize=600)
def decoded(path: str) -> Tensor:
    """An image (3, H, W), uint8; those of the training set are kept, 2 GB."""
    return decode_image(read_file(path))


def centres(frames: Frames) -> Tensor:
    """Where the signs of the frames lie, a map (31, 51)."""
    density = CentreSaliency(sigma=(3, 3))
    for number in frames.ids:
        image = frames.coco.imgs[number]
        density.add(frames.target(number)['boxes'].cpu(), (image['height'], image['width']))
    return density.saliency()


def backbone_of(weights: Any) -> nn.Module:
    """MobileNetV2 whose batch norms, and layers up to stride 4, stay as they were trained."""
    network = mobilenet_v2(norm_layer=FrozenBatchNorm2d if weights else None)
    if weights:
        given = torch.load(weights, map_location='cpu', weights_only=True)
        given = given.get('state_dict', given)
        given = {n: v for n, v in given.items() if not n.endswith('num_batches_tracked')}
        own = network.features.state_dict()
        # The same layers in the same order under other names.
        if _layers(given) != _layers(own):
            raise SystemExit(f'error: {weights} does not hold a MobileNetV2')
        network.features.load_state_dict(dict(zip(own, given.values())))
        network.features[:4].requires_grad_(False)
    return BackboneWithFPN(network.features, LEVELS, CHANNELS, out_channels=64)


def _layers(state: Dict[str, Tensor]) -> List[Any]:
    return [(name.rsplit('.', 1)[-1], value.shape) for name, value in state.items()]


def model_of(args: Namespace, train: Frames) -> nn.Module:
    """RetinaNet on zoomed frames."""
    anchors = AnchorGenerator(ANCHORS, [(1.0,)] * len(ANCHORS))
    model = RetinaNet(
        backbone_of(args.weights),
        num_classes=len(train.categories),
        anchor_generator=anchors,
        fixed_size=SIZE[::-1],
    )
    # Two convolutions are enough for four classes, and half the work.
    for head in (model.head.classification_head, model.head.regression_head):
        head.conv = head.conv[:2]
    zoom: Dict[str, Any] = {'saliency': 'uniform'}
    if args.zoom == 'equalise':
        zoom = {'saliency': centres(train), 'method': 'equalise', 'unzoom_antialias': True}
    model.backbone = ZoomedBackbone(model.backbone, scale=0.25, frame=args.frame, **zoom)
    return model.to(args.device, memory_format=torch.channels_last)


def train_model(model: nn.Module, frames: Frames, args: Namespace) -> None:
    """AdamW, with a warm-up and a rate that falls to zero as a cosine."""
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=args.lr, weight_decay=0.05)
    steps = args.epochs * (len(frames.ids) // args.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, steps, pct_start=0.05, cycle_momentum=False
    )
    order = random.Random(args.seed)
    model.train()
    begin = time.monotonic()
    left: List[int] = []
    for step in range(1, steps + 1):
        if len(left) < args.batch_size:
            left = order.sample(frames.ids, len(frames.ids))
        chosen, left = left[: args.batch_size], left[args.batch_size :]
        losses = model([frames.image(i) for i in chosen], [frames.target(i) for i in chosen])
        optimizer.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(learned, 10)
        optimizer.step()
        schedule.step()
        if step % 25 == 0 or step == steps:
            values = ', '.join(f'{name} {loss.detach():.3f}' for name, loss in losses.items())
            print(f'step {step}/{steps}, {time.monotonic() - begin:.0f} s: {values}', flush=True)


@torch.no_grad()
def evaluate(model: nn.Module, frames: Frames) -> Dict[str, float]:
    """COCO's AP, as shares."""
    model.eval()
    found = []
    for number in frames.ids:
        (result,) = model([frames.image(number)])
        boxes = box_convert(result['boxes'], 'xyxy', 'xywh')
        for box, score, label in zip(boxes.tolist(), result['scores'], result['labels']):
            category = frames.categories[int(label)]
            found.append(dict(image_id=number, category_id=category, bbox=box, score=float(score)))
    if not found:
        return dict.fromkeys((f'coco/bbox_{name}' for name in NAMES), 0.0)
    with redirect_stdout(StringIO()):
        evaluation = COCOeval(frames.coco, frames.coco.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {f'coco/bbox_{name}': float(v) for name, v in zip(NAMES, evaluation.stats)}


def main() -> None:
    """Train, test once, and write the result down."""
    args, machine = parse_args(), describe_machine()
    torch.manual_seed(args.seed)
    train, test = (Frames(args.data, split, args.device) for split in ('train', 'test'))
    model = model_of(args, train)
    begin = time.monotonic()
    train_model(model, train, args)
    seconds = round(time.monotonic() - begin, 1)
    metrics = evaluate(model, test)
    print(json.dumps({name: round(100 * value, 2) for name, value in metrics.items()}))
    if args.results:
        options = {name: getattr(args, name) for name in ('epochs', 'batch_size', 'lr', 'frame')}
        config = f'{args.zoom}_torchvision-retinanet_mobilenet-v2_gtsdb-0.25x'
        append_run(args.results, Run(config, args.seed, options, False, metrics, seconds, machine))


if __name__ == '__main__':
    main()
