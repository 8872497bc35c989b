import copy
import gc
import pickle
import threading

import numpy as np
import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS

from lzu_mm.warps import unzoom_feature

from ..models import STOCK, UNIFORM, batch, build, pair, stock_config, zoomed_config


@pytest.fixture
def fixed(tmp_path):
    saliency = np.full((9, 12), 0.2, dtype=np.float32)
    saliency[2:4, 8:10] = 3
    np.save(tmp_path / 'map.npy', saliency)
    return dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))


class Backbone(torch.nn.Module):
    def forward(self, image):
        return (image * 1, image[..., ::2, ::2] * 1)


class Followed(BaseModel):
    """A small model with a backbone, which is built before the neck."""

    def __init__(self, data_preprocessor, neck, backbone=None):
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = backbone or Backbone()
        self.neck = MODELS.build(neck)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'tensor':
            return self._forward(inputs)
        return self.predict(inputs) if mode == 'predict' else self.loss(inputs)

    def _forward(self, inputs):
        return self.neck(self.backbone(inputs))

    def predict(self, inputs):
        return self.neck(self.backbone(inputs))

    def loss(self, inputs):
        return self.neck(self.backbone(inputs))


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


def expected_levels(model, images, warp):
    levels = model.backbone(images)
    content = [(32, 48)] * len(images)
    return [unzoom_feature(level, warp, content, tuple(images.shape[2:])) for level in levels]


def batches(model, count=2):
    """Batches of one size, each with a warp of its own."""
    made = []
    for seed in range(count):
        data = batch('retinanet', [(60, 90)], seed)
        flip = dict(flip=bool(seed % 2), flip_direction='horizontal')
        data['data_samples'][0].set_metainfo(flip)
        images = model.data_preprocessor(data)['inputs']
        made.append((images, model.data_preprocessor.link.batch.warp))
    return made


def test_features_are_unzoomed_by_the_warp_of_their_own_batch(fixed):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    (first, warp), (second, other) = batches(model)
    assert (warp.knots_x - other.knots_x).abs().max() > 0.01
    features = [model.backbone(images) for images in (first, second)]
    for levels, images, own in zip(features, (first, second), (warp, other)):
        for one, two in zip(model.neck(levels), expected_levels(model, images, own)):
            assert torch.equal(one, two)
    # What a wrapper casts is known by its pixels; other images are refused, whatever their number.
    cast = model(second.double())[0]
    torch.testing.assert_close(cast, model(second)[0].double(), rtol=0, atol=1e-3)
    for images in (torch.rand_like(second), first.double()):
        with pytest.raises(RuntimeError, match=r'model\.data_preprocessor'):
            model(images)


def test_threads_do_not_mix_their_warps(fixed):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    barrier, wrong = threading.Barrier(2), []

    def run(seed):
        data = batch('retinanet', [(60, 90)], seed)
        flip = dict(flip=bool(seed), flip_direction='horizontal')
        data['data_samples'][0].set_metainfo(flip)
        for _ in range(20):
            images = model.data_preprocessor(copy.deepcopy(data))['inputs']
            warp = model.data_preprocessor.link.batch.warp
            barrier.wait()
            levels = model(images)
            barrier.wait()
            wrong.append(not torch.equal(levels[0], expected_levels(model, images, warp)[0]))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [False] * 40


def test_a_batch_may_be_zoomed_in_one_thread_and_unzoomed_in_another(fixed):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    (images, warp), _ = batches(model)
    found = []
    thread = threading.Thread(target=lambda: found.append(model(images)[0]))
    thread.start()
    thread.join()
    assert torch.equal(found[0], expected_levels(model, images, warp)[0])


def test_batches_die_with_their_tensors(fixed):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    made = batches(model, 5)
    known = model.neck.link._batches
    levels = [model.backbone(images) for images, _ in made]
    assert len(known) == 15
    del made, levels
    gc.collect()
    assert len(known) == 0


@pytest.mark.parametrize('mode', ['loss', 'predict'])
def test_images_that_nobody_zoomed_are_refused_but_to_count_flops(fixed, mode):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    image = torch.rand(1, 3, 32, 48)
    for run in (lambda: model(image, mode=mode), lambda: getattr(model, mode)(image)):
        with pytest.raises(RuntimeError, match=r'model\.data_preprocessor'):
            run()
    with pytest.warns(UserWarning, match='FLOPs'):
        assert torch.equal(model(image)[0], image)


def test_flops_are_counted_with_the_unzoom(fixed):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck', inner='mmdet.ChannelMapper',
                                       in_channels=[3, 3], out_channels=4))  # fmt: skip
    (images, _), _ = batches(model)
    counted = get_model_complexity_info(model, inputs=images, show_table=False, show_arch=False)
    assert counted['flops'] > 0


def test_a_copy_and_a_pickle_follow_their_own_backbones(fixed):
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'))
    (images, warp), _ = batches(model)
    expected = expected_levels(model, images, warp)[0]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.neck.link is twin.data_preprocessor.link is not model.neck.link
        data = batch('retinanet', [(60, 90)])
        data['data_samples'][0].set_metainfo(dict(flip=False, flip_direction=None))
        own = twin.data_preprocessor(data)['inputs']
        assert torch.equal(twin(own)[0], expected)
        with pytest.raises(RuntimeError, match='has not handed out'):
            twin(images + 1)
        with pytest.raises(RuntimeError, match='has not handed out'):
            model(own + 1)


def test_a_bare_tensor_stays_one(fixed):
    backbone = torch.nn.Conv2d(3, 4, 1)
    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'), backbone)
    (images, warp), _ = batches(model)
    level = model(images)
    zoomed = backbone(images)
    assert torch.equal(level, unzoom_feature(zoomed, warp, [(32, 48)], (32, 48)))
    assert (level - zoomed).abs().max() > 0.1


def test_class_tokens_pass(fixed):
    class Tokens(torch.nn.Module):
        def forward(self, image):
            return [[image * 1, image.mean(dim=(2, 3))], [image * 2, image.amax(dim=(2, 3))]]

    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'), Tokens())
    (images, warp), _ = batches(model)
    for (level, token), (zoomed, other) in zip(model(images), model.backbone(images)):
        expected = unzoom_feature(zoomed, warp, [(32, 48)], tuple(images.shape[2:]))
        assert torch.equal(level, expected)
        assert torch.equal(token, other)


def test_parallel_branches_are_unzoomed_by_the_warps_of_their_images(fixed):
    class Branches(torch.nn.Module):
        num_branch = 3

        def forward(self, image):
            return (torch.cat([image, image * 2, image * 3]),)

    model = Followed(zoom(fixed), dict(type='lzu_mm.UnzoomNeck'), Branches())
    data = batch('retinanet', [(60, 90), (50, 70)])
    data['data_samples'][0].set_metainfo(dict(flip=True, flip_direction='horizontal'))
    images = model.data_preprocessor(data)['inputs']
    (level,) = model(images)
    warp, content = model.data_preprocessor.link.batch.warp, [(32, 48)] * 2
    assert len(warp) == 2
    one = unzoom_feature(images, warp, content, tuple(images.shape[2:]))
    torch.testing.assert_close(level, torch.cat([one, one * 2, one * 3]))


def test_names_and_settings_of_parameters_are_the_stock_models():
    """`paramwise_cfg` of a stock config matches what it matched."""
    stock, zoomed = pair('retinanet', dict(scale=0.5, saliency=UNIFORM))
    names = [name for name, _ in stock.named_parameters()]
    assert [name for name, _ in zoomed.named_parameters()] == names
    assert list(dict(zoomed.neck.named_modules()))[1:] == list(dict(stock.neck.named_modules()))[1:]
    paramwise = dict(
        custom_keys={
            'neck.fpn_convs': dict(lr_mult=0.1),
            'neck.lateral_convs.0': dict(decay_mult=0),
        },
        bias_lr_mult=2,
    )
    config = dict(optimizer=dict(type='SGD', lr=1, weight_decay=1), paramwise_cfg=paramwise)
    groups = []
    for model in (stock, zoomed):
        wrapper = build_optim_wrapper(model, config)
        known = {id(parameter): name for name, parameter in model.named_parameters()}
        groups.append(
            {
                known[id(group['params'][0])]: (group['lr'], group['weight_decay'])
                for group in wrapper.optimizer.param_groups
            }
        )
    assert groups[0] == groups[1]
    assert groups[1]['neck.fpn_convs.0.conv.weight'] == (0.1, 1)
    assert groups[1]['neck.lateral_convs.0.conv.weight'] == (1, 0)


def test_the_stock_neck_trains_moves_and_starts_with_the_model():
    _, zoomed = pair('retinanet', dict(scale=0.5, saliency=UNIFORM))
    inner = zoomed.neck.inner
    assert inner.fpn_convs is zoomed.neck.fpn_convs
    for mode in (True, False):
        zoomed.train(mode)
        assert inner.training is inner.fpn_convs[0].training is mode
    zoomed.double()
    assert next(inner.parameters()).dtype == torch.float64
    copied = copy.deepcopy(zoomed)
    assert copied.neck.inner.fpn_convs is copied.neck.fpn_convs is not inner.fpn_convs
    with torch.no_grad():
        inner.fpn_convs[0].conv.bias.fill_(7)
    zoomed.neck._is_init = inner._is_init = inner.fpn_convs[0]._is_init = False
    zoomed.neck.init_weights()
    assert (inner.fpn_convs[0].conv.bias == 0).all()
    assert not hasattr(inner, '_params_init_info')
    converted = revert_sync_batchnorm(torch.nn.SyncBatchNorm.convert_sync_batchnorm(zoomed))
    assert converted.neck.inner.fpn_convs is converted.neck.fpn_convs


def test_a_neck_without_a_zoom_preprocessor_is_refused_when_built(fixed):
    # A preprocessor of another model, unclaimed, must not be taken for this model's.
    other = MODELS.build(zoom(fixed))
    with pytest.raises(RuntimeError, match=r'model\.data_preprocessor\.type'):
        Stock(dict(type='mmdet.DetDataPreprocessor'), dict(type='lzu_mm.UnzoomNeck'))
    assert not other.link.claimed


def test_parts_built_by_hand_are_handed_the_link(fixed):
    preprocessor = MODELS.build(zoom(fixed))
    with pytest.raises(RuntimeError, match=r'UnzoomNeck.*link=preprocessor\.link'):
        MODELS.build(dict(type='lzu_mm.UnzoomNeck'))
    neck = MODELS.build(dict(type='lzu_mm.UnzoomNeck', link=preprocessor.link))
    assert preprocessor.link.claimed
    inputs = preprocessor(batch('retinanet', [(60, 90)]))['inputs']
    # Its backbone is not known: this thread's newest batch it is.
    warp = preprocessor.link.batch.warp
    assert torch.equal(
        neck((inputs * 2,))[0], unzoom_feature(inputs * 2, warp, [(32, 48)], (32, 48))
    )
    with pytest.raises(RuntimeError, match='features of 2 images'):
        neck((torch.rand(2, 3, 32, 48),))


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
