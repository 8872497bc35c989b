"""Metainfo in pixels, through stock pipelines and heads."""

import inspect
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.registry import MODELS
from mmengine.utils import get_installed_path

from lzu_mm.data_preprocessors import pixels

from ..models import UNIFORM, batch, scoped
from ..test_models.test_families import offline

SCALE = 0.5


def config_of(name):
    scoped('mmdet')
    return Config.fromfile(Path(get_installed_path('mmdet')) / '.mim' / 'configs' / name)


def through(pipeline, image):
    """A batch as the stock pipeline makes it of an image."""
    load = dict(type='mmdet.LoadImageFromNDArray', to_float32=True)
    steps = [step for step in pipeline if step.type not in ('LoadImageFromFile', 'LoadAnnotations')]
    data = Compose([load, *steps])(dict(img=image, img_id=0, img_path=''))
    return dict(inputs=[data['inputs']], data_samples=[data['data_samples']])


def preprocessor(scale=SCALE):
    zoom = dict(scale=scale, saliency=UNIFORM)
    return MODELS.build(dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom))


def test_centernets_border_is_that_of_the_zoomed_image():
    pipeline = config_of('centernet/centernet_r18_8xb16-crop512-140e_coco.py').test_pipeline
    data = through(pipeline, np.zeros((200, 330, 3), np.uint8))
    border = data['data_samples'][0].border.copy()
    assert border.max() > 200
    output = preprocessor()(data)
    np.testing.assert_allclose(output['data_samples'][0].border, border * SCALE)
    # The caller's sample is as it was.
    np.testing.assert_array_equal(data['data_samples'][0].border, border)


@pytest.mark.parametrize(
    'name',
    [
        'centernet/centernet_r18_8xb16-crop512-140e_coco.py',
        'cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py',
    ],
)
@pytest.mark.parametrize('scale', [0.5, 0.75])
def test_the_box_of_the_whole_image_comes_back(name, scale):
    """A head that finds the image on its padded canvas says that it is the whole original."""
    config = config_of(name)
    data = through(config.test_pipeline, np.full((480, 640, 3), 255, np.uint8))
    top, bottom, left, right = data['data_samples'][0].border
    output = preprocessor(scale)(data)
    sample = output['data_samples'][0]
    head = ConfigDict(offline(config.model.bbox_head.to_dict()))
    head = MODELS.build(dict(head, test_cfg=config.model.test_cfg, _scope_='mmdet'))
    # Sizes round to whole pixels.
    h, w = (n / n_source for n, n_source in zip(sample.img_shape, data['inputs'][0].shape[1:]))
    box = torch.tensor([left * w, top * h, right * w, bottom * h])
    boxes = found_by(head, box, output['inputs'].shape[2:], sample.metainfo)
    torch.testing.assert_close(boxes, torch.tensor([0.0, 0, 640, 480]), rtol=0, atol=0.1)


def found_by(head, box, canvas, meta):
    """The box that a stock head makes of maps that say where a box is on the canvas."""
    height, width = (n // 4 for n in canvas)
    x1, y1, x2, y2 = (float(v) for v in box / torch.tensor([canvas[1], canvas[0]] * 2)
                      * torch.tensor([width, height] * 2))  # fmt: skip

    def at(x, y):
        heat, offset = torch.full((1, 80, height, width), -9.0), torch.zeros(1, 2, height, width)
        column, row = min(int(x), width - 1), min(int(y), height - 1)
        heat[0, 0, row, column] = 9
        offset[0, :, row, column] = torch.tensor([x - column, y - row])
        return [heat], [offset]

    options = dict(batch_img_metas=[meta], rescale=True, with_nms=False)
    if type(head).__name__ == 'CenterNetHead':
        heat, offset = at((x1 + x2) / 2, (y1 + y2) / 2)
        sides = [torch.tensor([x2 - x1, y2 - y1]).view(1, 2, 1, 1).expand(1, 2, height, width)]
        found = head.predict_by_feat([heat[0].sigmoid()], sides, offset, **options)[0]
    else:
        (heat, offset), (other, shift) = at(x1, y1), at(x2, y2)
        near = [torch.zeros(1, 1, height, width)]
        found = head.predict_by_feat(heat, other, near, near, offset, shift, **options)[0]
    return found.bboxes[found.scores.argmax()]


def test_every_entry_scales_as_its_reader_takes_it():
    data = batch('retinanet', [(60, 90)])
    matrix = np.array([[2, 0, 10], [0, 3, 20], [0, 0, 1]], np.float32)
    given = dict(
        border=[4.0, 56.0, 10.0, 80.0],
        pad_param=np.array([4, 4, 10, 10]),
        homography_matrix=matrix,
        warp_matrix=torch.tensor(matrix),
        padding_size=(0, 30, 0, 20),
        img_crop_offset=[8.0, 6.0],
    )
    data['data_samples'][0].set_metainfo(given)
    zoom = dict(size=(30, 30), saliency=UNIFORM)
    module = MODELS.build(dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=zoom))
    output = module(data)['data_samples'][0]
    x, y = 30 / 90, 30 / 60
    np.testing.assert_allclose(output.border, [2, 28, 10 / 3, 80 / 3])
    np.testing.assert_allclose(output.pad_param, [2, 2, 10 / 3, 10 / 3], rtol=1e-6)
    expected = np.diag([x, y, 1]) @ matrix
    np.testing.assert_allclose(output.homography_matrix, expected, rtol=1e-6)
    assert output.homography_matrix.dtype == np.float32
    torch.testing.assert_close(output.warp_matrix, torch.tensor(expected, dtype=torch.float32))
    assert output.padding_size == (0, 10, 0, 10)
    assert output.img_crop_offset == pytest.approx([8 * x, 6 * y])
    assert output.ori_shape == data['data_samples'][0].ori_shape
    for name, value in given.items():
        assert data['data_samples'][0].metainfo[name] is value or np.array_equal(
            data['data_samples'][0].metainfo[name], value
        )


def test_an_unknown_entry_is_named_once(monkeypatch):
    monkeypatch.setattr(pixels, '_warned', set())
    module, data = preprocessor(), batch('retinanet', [(60, 90)])
    data['data_samples'][0].set_metainfo(dict(hotspot=(30.0, 40.0), quality=0.5, note='x'))
    with pytest.warns(UserWarning, match="'hotspot'.*meta_keys") as found:
        module(data)
    assert len([w for w in found if 'does not know' in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        module.link.claimed = True
        module(data)
        monkeypatch.setattr(pixels, '_warned', set())
        monkeypatch.setitem(pixels.RULES, 'hotspot', lambda value, ratio: 'scaled')
        assert module(data)['data_samples'][0].hotspot == 'scaled'


def test_all_that_stock_pipelines_pack_is_known():
    from mmdet.datasets.transforms import PackDetInputs
    from mmdet3d.datasets.transforms import Pack3DDetInputs
    from mmseg.datasets.transforms import PackSegInputs

    for pack in (PackDetInputs, PackSegInputs, Pack3DDetInputs):
        keys = inspect.signature(pack).parameters['meta_keys'].default
        assert set(keys) <= set(pixels.RULES)
