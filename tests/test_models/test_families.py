"""One override switches LZU on for stock configs of many families, which stay untouched.

`pytest tests/test_models/test_families.py -k FAMILY` tests one. `benchmarks/sweep_stock_configs.py`
goes through all configs.
"""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import InstanceData, PixelData
from mmengine.utils import get_installed_path

from ..models import PREPROCESSORS, UNIFORM, batch, build, losses, predictions, scoped
from .families import FAMILIES


@pytest.fixture(autouse=True)
def _iteration():
    # BatchSyncRandomResize of YOLOX asks the runner's.
    MessageHub.get_current_instance().update_info('iter', 0)


@pytest.fixture
def fixed(tmp_path):
    saliency = np.full((15, 25), 0.2, dtype=np.float32)
    saliency[5:8, 16:20] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))


def offline(config):
    """The config without weights to download, and with predictions of any score."""
    if isinstance(config, dict):
        kept = {k: offline(v) for k, v in config.items() if k not in ('init_cfg', 'pretrained')}
        for name in ('score_thr', 'objectness_score_thr'):
            if name in kept:
                kept[name] = 0.0
        return kept
    return type(config)(map(offline, config)) if isinstance(config, (list, tuple)) else config


def stock_config(family):
    pytest.importorskip(family.library)
    scoped(family.library)
    path = Path(get_installed_path(family.library)) / '.mim' / 'configs' / family.config
    cfg = Config.fromfile(path)
    # MMSegmentation's configs may hold the preprocessor beside the model.
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    if cfg.model.data_preprocessor.get('size'):
        # Padded to the crops of its pipeline, small images would cost as much as large ones.
        cfg.model.data_preprocessor.size = family.size
    return ConfigDict(offline(cfg.model.to_dict()))


def override(stock, family, zoom):
    """What a user writes into the child config."""
    preprocessor = dict(type=PREPROCESSORS[family.task], zoom=zoom)
    if family.inner == 'whole':
        neck = dict(type='lzu_mm.UnzoomNeck', inner=stock['neck'])
    elif family.inner is None:
        neck = dict(type='lzu_mm.UnzoomNeck')
    else:
        neck = {**stock['neck'], 'type': 'lzu_mm.UnzoomNeck', 'inner': family.inner}
    merged = copy.deepcopy(stock)
    merged['data_preprocessor'].update(preprocessor)
    if merged['test_cfg'].get('mode') == 'slide':
        merged['test_cfg'] = ConfigDict(mode='whole')
    return {**merged, 'neck': neck}


def made(config, family):
    torch.manual_seed(0)
    # Some detectors write into their config.
    config = copy.deepcopy(dict(config, _scope_=family.library))
    model = revert_sync_batchnorm(build(config))
    for name, parameter in model.named_parameters():
        if name.endswith('bias'):
            # Some heads start with boxes of no extent.
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def data_of(family, seed=0):
    data = batch(family.task, [family.size, family.size], seed)
    for sample in data['data_samples']:
        if 'masks' in family.labels:
            sample.gt_instances.masks = masks(sample.gt_instances.bboxes, family.size)
        if 'semantic' in family.labels:
            stuff = F.interpolate(torch.arange(6.0).view(1, 1, 2, 3), family.size)[0].long()
            sample.gt_sem_seg = PixelData(sem_seg=stuff)
        if family.name == 'SMOKE':
            affine(sample)
    return data


def masks(boxes, size):
    from mmdet.structures.mask import BitmapMasks

    filled = np.zeros((len(boxes), *size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(filled, boxes.round().int().tolist()):
        mask[y1:y2, x1:x2] = 1
    return BitmapMasks(filled, *size)


def affine(sample):
    """What AffineResize leaves of an image that was twice as large: KITTI has three classes."""
    camera = torch.tensor(sample.cam2img)
    camera[:2] *= 2
    quarter = np.diag([1 / 8, 1 / 8, 1]).astype(np.float32)
    size = (2 * sample.ori_shape[0], 2 * sample.ori_shape[1])
    metainfo = dict(cam2img=camera.tolist(), trans_mat=quarter, affine_aug=False, ori_shape=size)
    sample.set_metainfo(metainfo)
    for instances, name in (
        (sample.gt_instances, 'labels'),
        (sample.gt_instances_3d, 'labels_3d'),
    ):
        instances[name] = instances[name] % 3
    boxes = sample.gt_instances_3d.bboxes_3d
    seven = type(boxes)(boxes.tensor[:, :7], box_dim=7)
    sample.gt_instances_3d = InstanceData(
        **{**dict(sample.gt_instances_3d.items()), 'bboxes_3d': seven}
    )


def assert_equal(results, expected):
    assert len(results) == len(expected) > 0
    for one, other in zip(results, expected):
        assert one.keys() == other.keys()
        for name, value in one.items():
            torch.testing.assert_close(value, other[name], rtol=1e-5, atol=1e-5)


def assert_in_original_coordinates(model, data):
    for sample, source in zip(model.test_step(copy.deepcopy(data)), data['data_samples']):
        h, w = source.ori_shape
        if 'pred_sem_seg' in sample:
            assert sample.pred_sem_seg.data.shape[-2:] == (h, w)
        if 'pred_panoptic_seg' in sample:
            assert sample.pred_panoptic_seg.sem_seg.shape[-2:] == (h, w)
        if 'pred_instances_3d' in sample:
            assert np.allclose(sample.cam2img, source.cam2img)
            assert torch.isfinite(sample.pred_instances_3d.bboxes_3d.tensor).all()
        if 'masks' in sample.get('pred_instances', ()):
            assert sample.pred_instances.masks.shape[-2:] == (h, w)
    if 'bboxes' not in sample.get('pred_instances', ()) or 'pred_instances_3d' in sample:
        return
    # Zoomed by a half in front of the model, and by scale_factor in front of that.
    inputs = model.data_preprocessor(copy.deepcopy(data))
    with torch.no_grad():
        found = [
            model.predict(inputs['inputs'], copy.deepcopy(inputs['data_samples']), rescale)
            for rescale in (False, True)
        ]
    factor = 0.5 * torch.tensor(data['data_samples'][0].scale_factor).repeat(2)
    for zoomed, original in zip(*found):
        assert len(original.pred_instances) > 0
        torch.testing.assert_close(
            zoomed.pred_instances.bboxes, original.pred_instances.bboxes * factor
        )


@pytest.mark.parametrize('family', FAMILIES, ids=lambda family: family.name)
def test_one_override_switches_the_zoom_on(family, fixed):
    config = stock_config(family)
    stock = made(config, family)
    zoomed = made(override(config, family, dict(scale=1.0, saliency=UNIFORM)), family)
    names = list(stock.state_dict())
    assert list(zoomed.state_dict()) == names
    zoomed.load_state_dict(stock.state_dict(), strict=True)
    stock.load_state_dict(zoomed.state_dict(), strict=True)
    for one, other in zip(zoomed.parameters(), stock.parameters()):
        assert torch.equal(one, other)

    data = data_of(family)
    found = []
    for model in (zoomed, stock):
        torch.manual_seed(0)  # dropout and noise of queries
        found.append(
            (
                losses(model.train(), copy.deepcopy(data)),
                predictions(model.eval(), copy.deepcopy(data)),
            )
        )
    (one, two), (expected_one, expected_two) = found
    assert_equal([one], [expected_one])
    assert_equal(two, expected_two)
    del zoomed

    # One training step at half scale: what learns in the stock model learns here.
    model = made(override(config, family, dict(scale=0.5, saliency=fixed)), family)
    model.load_state_dict(stock.state_dict())
    learning = []
    for one in (stock, model):
        one.train()
        torch.manual_seed(0)
        outputs = one(**one.data_preprocessor(data_of(family), True), mode='loss')
        loss, _ = one.parse_losses(outputs)
        assert loss.isfinite()
        loss.backward()
        learning.append({name for name, p in one.named_parameters() if p.grad is not None})
        assert all(p.grad.isfinite().all() for p in one.parameters() if p.grad is not None)
    assert learning[1] == learning[0]
    assert model.neck.link.batch.warp is not None
    torch.optim.SGD(model.parameters(), lr=1e-6).step()
    assert_in_original_coordinates(model.eval(), data_of(family))
