"""The configs of GTSDB and CamVid learn from real frames, where these are beside the repository."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, METRICS, MODELS, init_default_scope
from mmengine.structures import InstanceData

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / 'configs' / 'README.md'
NAMES = [
    *(
        f'yolox/{kind}_yolox-nano_gtsdb-0.25x'
        for kind in ('uniform', 'lzu-fixed', 'lzu-equalise', 'lzu-learned-equalise')
    ),
    'yolox/fovea-equalise_yolox-nano_gtsdb-0.25x',
    'retinanet/lzu-equalise_retinanet_mobilenet-v2_fpn_gtsdb-0.25x',
    'pspnet/lzu-equalise_pspnet_mobilenet-v2-d8_camvid-128x128',
    'pspnet/lds_pspnet_mobilenet-v2-d8_camvid-128x128',
]
FILES = {path: ROOT / 'configs' / f'{path}.py' for path in NAMES}
CONTROL = 'band-crop_yolox-nano_gtsdb-0.25x'
FILES[CONTROL] = ROOT / 'benchmarks' / 'controls' / 'configs' / f'{CONTROL}.py'


@pytest.fixture
def real(shared_data, tmp_path, monkeypatch):
    """Loads a config where its data are: two frames with signs, two of the streets."""
    monkeypatch.chdir(tmp_path)
    Path('data/gtsdb').mkdir(parents=True)
    Path('data/gtsdb/images').symlink_to(shared_data / 'gtsdb' / 'images')
    Path('data/weights').mkdir()
    for file in (shared_data / 'weights').iterdir():
        (Path('data/weights') / file.name).symlink_to(file)
    rename = re.search(r'```python\n(import torch\n.*?)```', README.read_text(), re.DOTALL)
    exec(rename[1], {})
    Path('data/camvid').symlink_to(shared_data / 'camvid')
    known = json.loads((shared_data / 'gtsdb' / 'train.json').read_text())
    known['images'] = known['images'][:2]
    known['annotations'] = [a for a in known['annotations'] if a['image_id'] < 2]
    for name in ('train', 'test'):
        Path(f'data/gtsdb/{name}.json').write_text(json.dumps(known))
    Path('data/saliency').mkdir()
    saliency = np.full((31, 51), 1.0, np.float32)
    saliency[12:20] = 9
    for name in ('gtsdb', 'gtsdb_centres', 'gtsdb_centres15', 'camvid'):
        np.savez(f'data/saliency/{name}.npz', saliency=saliency)

    def load(path):
        pytest.importorskip('mmseg' if 'pspnet' in path else 'mmdet')
        cfg = Config.fromfile(FILES[path])
        init_default_scope(cfg.default_scope)
        return cfg

    return load


@pytest.mark.parametrize('path', FILES)
def test_it_learns_from_real_frames(path, real):
    cfg = real(path)
    model = MODELS.build(cfg.model).train()
    model.init_weights()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[0], dataset[1]])
    assert batch['inputs'][0].shape[1:] in {(800, 1360), (360, 480), (413, 1282)}
    data = model.data_preprocessor(batch, training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize('path', FILES)
def test_it_is_evaluated_on_real_frames(path, real):
    """Predictions come back to the original image, where a perfect one has an AP of 1."""
    cfg = real(path)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    model = MODELS.build(cfg.model).eval()
    data = model.data_preprocessor(pseudo_collate([dataset[0]]), training=False)
    with torch.no_grad():
        (found,) = model(**data, mode='predict')
    if 'pspnet' in path:
        assert found.pred_sem_seg.shape == (360, 480)
        assert set(dataset[0]['data_samples'].gt_sem_seg.data.unique().tolist()) <= {
            *range(11),
            255,
        }
        return
    known = json.loads(Path(cfg.test_evaluator.ann_file).read_text())
    truth = [a for a in known['annotations'] if a['image_id'] == 0]
    corners = [(x, y, x + w, y + h) for x, y, w, h in (a['bbox'] for a in truth)]
    # What is left to the metric; the model undoes the resize.
    offset, source = torch.zeros(4), found.ori_shape
    if path == CONTROL:
        left, top, right, bottom = cfg.crop.box
        offset, source = torch.tensor([left, top]).repeat(2), (bottom - top, right - left)
    for zoomed, whole, factor in zip(found.img_shape, source, found.scale_factor[::-1]):
        assert factor == pytest.approx(zoomed / whole)
    found.pred_instances = InstanceData(
        bboxes=torch.tensor(corners).float() - offset,
        scores=torch.ones(len(truth)),
        labels=torch.tensor([a['category_id'] - 1 for a in truth]),
    )
    metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, [{**found.metainfo, 'pred_instances': found.pred_instances}])
    assert metric.evaluate(size=1)['coco/danger_mAP'] == pytest.approx(1)


def test_the_model_is_the_stock_one():
    """YOLOX-nano in full, but for resizing batches at random."""
    pytest.importorskip('mmdet')
    from mmengine.hub import get_config

    stock = get_config('mmdet::yolox/yolox_nano_8xb8-300e_coco.py').model.to_dict()
    ours = Config.fromfile(ROOT / 'configs' / '_base_' / 'models' / 'yolox_nano.py').model.to_dict()
    stock['data_preprocessor'].pop('batch_augments')
    assert ours == stock


def test_the_weights_of_yolox_fit(real):
    """All but the classes."""
    cfg = real('yolox/uniform_yolox-nano_gtsdb-0.25x')
    model = MODELS.build(cfg.model)
    weights = torch.load(cfg.load_from, weights_only=True)['state_dict']
    own = model.state_dict()
    assert own.keys() == weights.keys()
    other = {key for key in own if own[key].shape != weights[key].shape}
    assert other and all('conv_cls' in key for key in other)


@pytest.mark.parametrize('path', [path for path in NAMES if 'mobilenet' in path])
def test_the_weights_of_backbones_fit(path, real):
    """Every parameter and statistic comes from the file, of which mmseg has no last convolution."""
    cfg = real(path)
    model = MODELS.build(cfg.model)
    model.init_weights()
    weights = torch.load(cfg.model.backbone.init_cfg.checkpoint, weights_only=True)
    weights = weights.get('state_dict', weights)
    own = model.backbone.state_dict()
    assert not own.keys() - weights.keys()
    assert all(torch.equal(own[key], weights[key]) for key in own)
    assert {key.split('.')[0] for key in weights.keys() - own.keys()} <= {'conv2'}
