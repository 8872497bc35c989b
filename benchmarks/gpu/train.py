"""A comparison of trainings at full size: torchvision's RetinaNet-R50 on mini-street.

Networks start from random weights and see as many steps as the time holds, the same seconds each:
what is compared is how they begin to learn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gpu.clock import Setting
from lzu_mm.nn import ZoomedBackbone

# Name, the scale, and the settings of the zoom; None for uniform.
RUNS = (
    ('uniform 0.25x', 0.25, None),
    ('LZU equalise 0.25x', 0.25, {'method': 'equalise', 'unzoom_antialias': True}),
)
_EVALUATION_SECONDS = 12


def run(setting: Setting) -> list[dict[str, Any]]:
    """Render what is missing, train, and evaluate; a row for each network."""
    begin = time.monotonic()
    folder = setting.data or _rendered(setting)
    if folder is None:
        return [{'name': 'train', 'skipped': 'no data: give --data'}]
    train, val = (_load(folder, split, setting) for split in ('train', 'val'))
    print(f'{len(train[0])} + {len(val[0])} images after {time.monotonic() - begin:.0f} s')
    end = min(begin + setting.train_seconds, setting.deadline)
    rows = []
    for k, (name, scale, zoom) in enumerate(RUNS):
        share = (end - time.monotonic()) / (len(RUNS) - k) - _EVALUATION_SECONDS
        looks = 'uniform' if zoom is None else _density(train[1], tuple(train[0].shape[2:]))
        model = _model(looks, scale, zoom or {}, train[0].shape[2:]).to(setting.device)
        steps, loss = _train(model, train, max(share, 1), setting)
        row = {'name': name, 'steps': steps, 'loss': loss, **_evaluate(model, val, folder, setting)}
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def _rendered(setting: Setting) -> Path | None:
    missing = [name for name in ('numba', 'cv2', 'scipy', 'rich') if find_spec(name) is None]
    if setting.quick or missing:
        print(f'not rendered: --quick, or {missing} is missing')
        return None
    out = Path(tempfile.mkdtemp(prefix='mini_street_'))
    tool = Path(__file__).resolve().parents[1] / 'make_mini_street.py'
    command = [
        sys.executable,
        tool,
        '--preset',
        'standard',
        '--tasks',
        'argoverse_hd',
        '--out',
        out,
    ]
    subprocess.run(list(map(str, command)), check=True, timeout=setting.left())
    return out


def _load(folder: Path, split: str, setting: Setting) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """All images (N, 3, H, W), uint8, and their boxes in pixels, on the device."""
    from torchvision.io import decode_jpeg, read_file

    root = folder / 'argoverse_hd'
    content = json.loads((root / 'Argoverse-HD' / 'annotations' / f'{split}.json').read_text())
    paths = [
        root / 'Argoverse-1.1' / 'tracking' / content['seq_dirs'][image['sid']] / image['name']
        for image in content['images']
    ]
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda path: decode_jpeg(read_file(str(path))), paths))
    boxes: list[list[Any]] = [[] for _ in paths]
    for annotation in content['annotations']:
        boxes[annotation['image_id']].append(annotation)
    targets = []
    for found in boxes:
        corners = torch.tensor([a['bbox'] for a in found], dtype=torch.float32).view(-1, 4)
        corners = torch.cat((corners[:, :2], corners[:, :2] + corners[:, 2:]), dim=1)
        labels = torch.tensor([a['category_id'] for a in found], dtype=torch.long)
        targets.append({'boxes': corners.to(setting.device), 'labels': labels.to(setting.device)})
    return torch.stack(pictures).to(setting.device), targets


def _density(targets: list[dict[str, Tensor]], size: tuple[int, int]) -> Tensor:
    """The map of where boxes lie, (31, 51): the dataset's prior."""
    from lzu_mm.saliency.estimation.centres import CentreSaliency

    centres = CentreSaliency(sigma=(1.5, 1.5))
    for target in targets:
        centres.add(target['boxes'].cpu(), size)
    return centres.saliency()


def _model(looks: Any, scale: float, zoom: dict[str, Any], size: Any) -> nn.Module:
    from torchvision.models.detection import retinanet_resnet50_fpn

    torch.manual_seed(0)
    model = retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=8, min_size=size[0], max_size=size[1]
    )
    # The map is of the tensor that the backbone gets: no padding.
    model.transform.size_divisible = 1
    model.backbone = ZoomedBackbone(model.backbone, looks, scale=scale, **zoom)
    return model


def _train(
    model: nn.Module, data: tuple[Tensor, list[dict[str, Tensor]]], seconds: float, setting: Setting
) -> tuple[int, float]:
    """Steps for as long as they may take, the rate falling to zero; the steps and the last loss."""
    images, targets = data
    batch = 2 if setting.quick else 8
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.05)
    generator = torch.Generator().manual_seed(0)
    begin, steps, loss = time.monotonic(), 0, torch.zeros(())
    model.train()
    while (passed := (time.monotonic() - begin) / seconds) < 1:
        rate = 2e-4 * min(1.0, (steps + 1) / 100) * (1 - passed)
        for group in optimizer.param_groups:
            group['lr'] = rate
        chosen = torch.randint(len(images), (batch,), generator=generator).tolist()
        with torch.autocast(setting.device.type, dtype=torch.bfloat16):
            losses = model(_floats(images, chosen), [targets[i] for i in chosen])
            loss = sum(losses.values(), torch.zeros((), device=setting.device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimizer.step()
        steps += 1
        if steps % 50 == 0:
            # Launches must not run ahead of the clock.
            print(f'step {steps}, loss {loss.item():.3f}', flush=True)
    return steps, float(loss.detach())


def _floats(images: Tensor, chosen: list[int]) -> list[Tensor]:
    return list(images[chosen].float().div_(255))


@torch.no_grad()
def _evaluate(
    model: nn.Module,
    data: tuple[Tensor, list[dict[str, Tensor]]],
    folder: Path,
    setting: Setting,
) -> dict[str, Any]:
    """COCO's AP in per cent, where pycocotools imports."""
    if find_spec('pycocotools') is None:
        return {'skipped': 'AP takes pycocotools'}
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images, _ = data
    model.eval()
    found = []
    for begin in range(0, len(images), 8):
        chosen = list(range(begin, min(begin + 8, len(images))))
        with torch.autocast(setting.device.type, dtype=torch.bfloat16):
            results = model(_floats(images, chosen))
        for number, result in zip(chosen, results):
            boxes = result['boxes'].float()
            boxes[:, 2:] -= boxes[:, :2]
            for box, score, label in zip(
                boxes.tolist(), result['scores'].tolist(), result['labels'].tolist()
            ):
                found.append(
                    {'image_id': number, 'category_id': label, 'bbox': box, 'score': score}
                )
    if not found:
        return {'AP': 0.0, 'AP50': 0.0}
    annotations = folder / 'argoverse_hd' / 'Argoverse-HD' / 'annotations' / 'val.json'
    with redirect_stdout(StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = ('AP', 'AP50', 'AP75', 'AP small', 'AP medium', 'AP large')
    return {name: round(100 * float(value), 2) for name, value in zip(names, evaluation.stats)}
