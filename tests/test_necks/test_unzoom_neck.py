import copy
import gc

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS

from lzu_mm.warps import unzoom_feature

from ..models import STOCK, UNIFORM, batch, build, pair, stock_config, zoomed_config


@pytest.fixture
def fixed(tmp_path):
    saliency = np.full((9, 12), 0.2, dtype=np.float32)
    saliency[2:4, 8:10] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))


class Stock(BaseModel):
    """As small as a model with a preprocessor and a neck can be."""

    def __init__(self, data_preprocessor, neck, test_cfg=None):
        super().__init__(data_preprocessor=data_preprocessor)
        self.neck = MODELS.build(neck)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.neck((inputs, inputs[..., ::2, ::2]))


def zoom(saliency, **settings):
    settings = {'size': (32, 48), **settings}
    return dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=dict(saliency=saliency, **settings))


def test_levels_are_unzoomed_by_the_preprocessors_warp(fixed):
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    zoomed = model.data_preprocessor(batch('retinanet', [(60, 90), (50, 70)]))['inputs']
    warp = model.data_preprocessor.link.batch.warp
    for level, unzoomed in zip((zoomed, zoomed[..., ::2, ::2]), model(zoomed)):
        expected = unzoom_feature(level, warp, [(32, 48)] * 2, (32, 48))
        assert torch.equal(unzoomed, expected)
        assert (unzoomed - level).abs().max() > 1


def test_levels_of_a_backbone_are_unzoomed_once_and_when_they_are_read(fixed, monkeypatch):
    unzoomed = []

    def spy(feature, *args):
        unzoomed.append(tuple(feature.shape[-2:]))
        return unzoom_feature(feature, *args)

    monkeypatch.setattr('lzu_mm.necks.unzoom_neck.unzoom_feature', spy)
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    inputs = model.data_preprocessor(batch('retinanet', [(60, 90)]))['inputs']
    levels = model(inputs)
    assert (len(levels), unzoomed) == (2, [])
    last = levels[-1]
    assert unzoomed == [(16, 24)]
    assert levels[1] is last
    first, second = levels[:2]
    assert second is last
    assert next(iter(levels)) is first
    assert unzoomed == [(16, 24), (32, 48)]
    with pytest.raises(IndexError):
        levels[2]
    # A later batch leaves what was not yet read as it was.
    levels = model(inputs)
    model.data_preprocessor(batch('retinanet', [(30, 30)]))
    assert torch.equal(levels[0], first)


def test_features_without_a_preprocessed_batch_stay_and_warn_once(fixed, recwarn):
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    image = torch.rand(1, 3, 32, 48)
    for _ in range(2):
        assert model(image)[0] is image
    assert len([w for w in recwarn if 'UnzoomNeck' in str(w.message)]) == 1


def test_features_of_another_batch_are_refused(fixed):
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    model.data_preprocessor(batch('retinanet', [(60, 90)]))
    with pytest.raises(RuntimeError, match='data_preprocessor'):
        model(torch.rand(2, 3, 32, 48))


def test_a_neck_without_a_zoom_preprocessor_is_refused_when_built(fixed):
    # A preprocessor of another model, unclaimed, must not be taken for this model's.
    other = MODELS.build(zoom(fixed))
    with pytest.raises(RuntimeError, match=r'model\.data_preprocessor\.type'):
        Stock(dict(type='mmdet.DetDataPreprocessor'), dict(type='lzu_mm.UnzoomNeck'))
    assert not other.link.claimed


def test_parts_built_by_hand_are_linked(fixed):
    preprocessor = MODELS.build(zoom(fixed))
    neck = MODELS.build(dict(type='lzu_mm.UnzoomNeck'))
    assert neck.link is preprocessor.link
    with pytest.raises(RuntimeError, match='UnzoomNeck'):
        MODELS.build(dict(type='lzu_mm.UnzoomNeck'))


def test_the_link_does_not_outlive_its_preprocessor(fixed):
    preprocessor = MODELS.build(zoom(fixed))
    del preprocessor
    gc.collect()
    with pytest.raises(RuntimeError, match='UnzoomNeck'):
        MODELS.build(dict(type='lzu_mm.UnzoomNeck'))


def test_a_deep_copy_has_a_link_of_its_own(fixed):
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    model.data_preprocessor(batch('retinanet', [(60, 90)]))
    copied = copy.deepcopy(model)
    assert copied.neck.link is copied.data_preprocessor.link
    assert copied.neck.link is not model.neck.link
    assert copied.neck.link.batch is None
    assert model.neck.link.batch is not None
    assert copied.neck.link.claimed


def test_two_models_called_in_turn_keep_their_warps(fixed):
    one = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    two = Stock(zoom(fixed, attraction_fwhm=2), dict(type='lzu_mm.UnzoomNeck'))
    data = batch('retinanet', [(60, 90)])
    alone = one(one.data_preprocessor(data)['inputs'])
    inputs = one.data_preprocessor(data)['inputs']
    other = two(two.data_preprocessor(data)['inputs'])
    assert torch.equal(one(inputs)[0], alone[0])
    assert not torch.equal(other[0], alone[0])


def test_slide_inference_is_refused_when_built(fixed):
    config = zoomed_config(stock_config('pspnet'), 'pspnet', dict(size=(64, 64), saliency=fixed))
    config.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(32, 32))
    with pytest.raises(ValueError, match=r'model\.test_cfg'):
        build(dict(config, _scope_=STOCK['pspnet'][0]))


def test_arguments_without_an_inner_neck_are_refused(fixed):
    with pytest.raises(ValueError, match=r'model\.neck\.inner'):
        Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', in_channels=[64]))


def test_an_unknown_inner_neck_is_named(fixed):
    with pytest.raises(KeyError, match='NoSuchNeck'):
        Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', inner='NoSuchNeck'))


def test_the_state_dict_is_the_stock_necks():
    stock, zoomed = pair('retinanet', dict(scale=0.5, saliency=UNIFORM))
    assert list(zoomed.neck.state_dict()) == list(stock.neck.state_dict())
    zoomed.neck.load_state_dict(stock.neck.state_dict(), strict=True)
    broken = stock.state_dict()
    broken['neck.no.such.weight'] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r'no\.such\.weight'):
        zoomed.load_state_dict(broken)
    broken = stock.state_dict()
    del broken['neck.fpn_convs.0.conv.bias']
    with pytest.raises(RuntimeError, match=r'fpn_convs\.0\.conv\.bias'):
        zoomed.load_state_dict(broken)


def test_necks_in_a_row_are_those_of_the_stock_model(fixed):
    # As in the stock DyHead: the neck of the model is a list.
    row = [
        dict(type='mmdet.ChannelMapper', in_channels=[3, 3], out_channels=16),
        dict(type='mmdet.DyHead', in_channels=16, out_channels=16, num_blocks=1),
    ]
    stock = MODELS.build(row)
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', inner=row))
    assert list(model.neck.state_dict()) == list(stock.state_dict())
    model.neck.load_state_dict(stock.state_dict(), strict=True)
    stock.load_state_dict(model.neck.state_dict(), strict=True)

    zoomed = model.data_preprocessor(batch('retinanet', [(60, 90)]))['inputs']
    warp = model.data_preprocessor.link.batch.warp
    for level, unzoomed in zip(stock((zoomed, zoomed[..., ::2, ::2])), model(zoomed)):
        torch.testing.assert_close(unzoomed, unzoom_feature(level, warp, [(32, 48)], (32, 48)))


def test_a_row_of_necks_takes_no_arguments_besides(fixed):
    row = [dict(type='mmdet.ChannelMapper', in_channels=[3, 3], out_channels=4)]
    with pytest.raises(ValueError, match=r"'out_channels'.*model\.neck\.inner"):
        Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', inner=row, out_channels=4))


def test_a_neck_that_gives_no_levels_is_named(fixed):
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', inner='mmdet.GlobalAveragePooling'))
    zoomed = model.data_preprocessor(batch('retinanet', [(60, 90)]))['inputs']
    with pytest.raises(TypeError, match='GlobalAveragePooling'):
        model(zoomed)


def test_the_inner_neck_may_be_its_whole_config(fixed):
    mapper = dict(type='mmdet.ChannelMapper', in_channels=[3, 3], out_channels=4)
    model = Stock(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', inner=mapper))
    assert list(model.neck.state_dict()) == list(MODELS.build(mapper).state_dict())
