"""FineCocoMetric against MMDetection's metric and values found by hand."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.evaluation import CocoMetric

from lzu_mm.evaluation import FineCocoMetric

CLASSES = ('sign', 'light')


@pytest.fixture
def annotations(tmp_path):
    """Writes images with boxes (image, class, x, y, w, h)."""

    def write(boxes, images=6):
        content = dict(
            images=[dict(id=i, file_name=f'{i}.png', height=200, width=300) for i in range(images)],
            annotations=[
                dict(
                    id=i,
                    image_id=image,
                    category_id=label + 1,
                    bbox=[x, y, w, h],
                    area=w * h,
                    iscrowd=0,
                )
                for i, (image, label, x, y, w, h) in enumerate(boxes, 1)
            ],
            categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)],
        )
        path = tmp_path / 'annotations.json'
        path.write_text(json.dumps(content))
        return str(path)

    return write


def evaluate(kind, path, detections, images=6, **kwargs):
    """The metric of detections (image, class, score, x, y, w, h)."""
    metric = kind(ann_file=path, **kwargs)
    metric.dataset_meta = dict(classes=CLASSES)
    for image in range(images):
        own = [d for d in detections if d[0] == image]
        boxes = torch.tensor([[x, y, x + w, y + h] for *_, x, y, w, h in own]).float().view(-1, 4)
        found = dict(
            bboxes=boxes,
            scores=torch.tensor([d[2] for d in own]),
            labels=torch.tensor([d[1] for d in own], dtype=torch.long),
        )
        sample = dict(img_id=image, ori_shape=(200, 300), pred_instances=found)
        metric.process({}, [sample])
    return metric.evaluate(size=images)


@pytest.fixture
def scene(annotations):
    """Random boxes, and detections that miss some, move some and invent some."""
    rng = np.random.default_rng(0)
    boxes, detections = [], []
    for image in range(6):
        for _ in range(8):
            w, h = rng.integers(8, 120, 2)
            x, y, label = rng.integers(0, 150), rng.integers(0, 80), rng.integers(0, 2)
            boxes.append(tuple(map(int, (image, label, x, y, w, h))))
            if rng.random() < 0.8:
                shift = rng.normal(0, 4, 4)
                box = np.array([x, y, w, h]) + shift
                box[2:] = box[2:].clip(2)
                detections.append((image, int(label), float(rng.random()), *map(float, box)))
        detections.append((image, 0, float(rng.random()), 5.0, 5.0, 30.0, 30.0))
    return annotations(boxes), detections


def test_it_agrees_with_the_stock_metric_to_its_three_decimals(scene):
    path, detections = scene
    fine = evaluate(FineCocoMetric, path, detections)
    stock = evaluate(CocoMetric, path, detections, classwise=True)
    for name in ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_75', *(f'bbox_mAP_{s}' for s in 'sml')):
        assert fine[f'coco/{name}'] == pytest.approx(stock[f'coco/{name}'], abs=6e-4)
    for name in CLASSES:
        assert fine[f'coco/{name}_mAP'] == pytest.approx(
            float(stock[f'coco/{name}_precision']), abs=6e-4
        )
    assert round(fine['coco/bbox_mAP'], 3) != fine['coco/bbox_mAP']


def test_sizes_split_the_objects(annotations):
    # The 12 pixel sign is found, the 20 pixel one is not.
    path = annotations([(0, 0, 10, 10, 12, 12), (1, 0, 50, 50, 20, 20)])
    detections = [(0, 0, 0.9, 10.0, 10.0, 12.0, 12.0)]
    found = evaluate(FineCocoMetric, path, detections, sizes=dict(t=(0, 16), u=(16, 24)))
    assert found['coco/bbox_mAP_t'] == pytest.approx(1)
    assert found['coco/bbox_mAP_u'] == 0
    # Recall ends at a half: 51 of COCO's 101 points of recall have precision 1.
    assert found['coco/bbox_mAP_s'] == pytest.approx(51 / 101)
    assert found['coco/sign_mAP_t'] == pytest.approx(1)


def test_what_no_object_has_is_left_out(annotations):
    path = annotations([(0, 0, 10, 10, 12, 12)])
    found = evaluate(FineCocoMetric, path, [(0, 0, 0.9, 10.0, 10.0, 12.0, 12.0)])
    assert 'coco/bbox_mAP_l' not in found
    assert 'coco/light_mAP' not in found
    assert not any(np.isnan(value) for value in found.values())


def test_a_model_in_its_infancy_finds_nothing(annotations):
    path = annotations([(0, 0, 10, 10, 40, 40)])
    assert evaluate(FineCocoMetric, path, [])['coco/bbox_mAP'] == 0


def test_other_metrics_are_refused(annotations):
    with pytest.raises(ValueError, match='bbox'):
        FineCocoMetric(ann_file=annotations([]), metric='segm')
