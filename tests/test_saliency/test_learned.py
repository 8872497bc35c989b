import copy

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS

from ..models import FAMILIES, STOCK, batch, build, stock_config, zoomed_config
from ..ranks import leave_group
from ..test_tools.launching import free_port

SIZE = (96, 160)
LEARNED = dict(type='lzu_mm.LearnedSaliency', grid_shape=(9, 15), input_size=(32, 48))


def learned(**kwargs):
    return MODELS.build({**LEARNED, **kwargs})


def model(family, **zoom):
    zoom = dict(scale=0.5, saliency=LEARNED, attraction_fwhm=4, **zoom)
    config = zoomed_config(stock_config(family), family, zoom)
    return build(dict(config, _scope_=STOCK[family][0]))


def gradients(module):
    return [p.grad.clone() for p in module.data_preprocessor.saliency.parameters()]


def test_starts_uniform():
    images = [torch.randint(0, 256, (3, 60, 90), dtype=torch.uint8) for _ in range(2)]
    saliency = learned()(images, None, True)
    torch.testing.assert_close(saliency, torch.full((2, 1, 9, 15), 1 / 135))


def test_floor_keeps_a_share_uniform():
    module = learned(floor=0.25)
    torch.nn.init.normal_(module.head.weight, std=20)
    saliency = module([torch.randint(0, 256, (3, 60, 90), dtype=torch.uint8)], None, True).detach()
    assert saliency.sum() == pytest.approx(1, abs=1e-5)
    assert saliency.min() >= 0.25 / 135 - 1e-6
    assert saliency.min() < 0.26 / 135


def test_any_backbone():
    backbone = dict(type='mmdet.ResNet', depth=18, num_stages=3, strides=(1, 2, 2),
                    dilations=(1, 1, 1), out_indices=(2,))  # fmt: skip
    module = learned(backbone=backbone, in_channels=256)
    saliency = module([torch.zeros(3, 60, 90)], None, True)
    torch.testing.assert_close(saliency, torch.full((1, 1, 9, 15), 1 / 135))


@pytest.mark.parametrize('family', ['retinanet', 'pspnet'])
def test_a_backbone_comes_from_the_library_of_its_model(family):
    package = STOCK[family][0]
    saliency = dict(LEARNED, backbone=dict(type='ResNet', depth=18), in_channels=512)
    config = zoomed_config(stock_config(family), family, dict(scale=0.5, saliency=saliency))
    preprocessors = [
        build(dict(config, _scope_=package)).data_preprocessor,
        MODELS.build(dict(config.data_preprocessor, _scope_=package)),
    ]
    for preprocessor in preprocessors:
        assert type(preprocessor.saliency.backbone).__module__.split('.')[0] == package


def test_a_backbone_of_other_channels_is_refused():
    backbone = dict(type='mmdet.ResNet', depth=18)
    with pytest.raises(ValueError, match=r'ResNet\) has 512 channels: set saliency'):
        learned(backbone=backbone, in_channels=256)
    with pytest.raises(ValueError, match=r'does not take images of 1 channels'):
        learned(backbone=backbone, in_channels=512, channels=1)
    module = learned(backbone=dict(backbone, in_channels=1), in_channels=512, channels=1)
    # The look at the backbone leaves no trace.
    assert module.backbone.training
    assert module.backbone.norm1.num_batches_tracked == 0
    assert module([torch.zeros(1, 60, 90)], None, True).shape == (1, 1, 9, 15)


@pytest.mark.parametrize('setting', [dict(floor=1.0), dict(backbone=dict(type='mmdet.ResNet'))])
def test_bad_settings_are_named(setting):
    with pytest.raises(ValueError, match=rf'saliency\.{next(iter(setting))}'):
        learned(**setting)


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('separable', [True, False])
def test_the_tasks_loss_trains_it(family, separable):
    module = model(family, separable=separable)
    data = batch(family, [SIZE, SIZE])
    losses = module(**module.data_preprocessor(data, True), mode='loss')
    module.parse_losses(losses)[0].backward()
    head = module.data_preprocessor.saliency.head.weight.grad
    assert head.isfinite().all()
    assert head.abs().max() > 0


def test_amp_trains_it():
    module = model('retinanet')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        data = batch('retinanet', [SIZE])
        losses = module(**module.data_preprocessor(data, True), mode='loss')
    module.parse_losses(losses)[0].backward()
    assert module.data_preprocessor.saliency.head.weight.grad.abs().max() > 0


def test_magnification_can_be_bounded():
    module = model('retinanet', max_magnification=1.5)
    torch.nn.init.normal_(module.data_preprocessor.saliency.head.weight, std=50)
    module.data_preprocessor(batch('retinanet', [SIZE]), True)
    warp = module.neck.link.batch.warp
    for knots in (warp.knots_x, warp.knots_y):
        assert (knots.diff(dim=1) * (knots.shape[1] - 1)).min() > 0.99 / 1.5


def _train_step(rank, port, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    torch.manual_seed(0)
    wrapped = MMDistributedDataParallel(model('retinanet'))
    optimizer = OptimWrapper(torch.optim.SGD(wrapped.parameters(), lr=0.0))
    optimizer.zero_grad = lambda: None  # keep the gradients for the comparison
    wrapped.train_step(batch('retinanet', [SIZE], seed=rank), optimizer)
    torch.save(gradients(wrapped.module), f'{folder}/{rank}.pth')
    del wrapped, optimizer
    leave_group()


def test_two_processes_share_its_gradients(tmp_path):
    torch.multiprocessing.spawn(_train_step, (free_port(), str(tmp_path)), nprocs=2)
    one, other = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    for a, b in zip(one, other):
        assert torch.equal(a, b)
    # Their mean is that of the two batches in one process.
    torch.manual_seed(0)
    alone = model('retinanet')
    total = None
    for rank in (0, 1):
        twin = copy.deepcopy(alone)
        data = batch('retinanet', [SIZE], seed=rank)
        losses = twin(**twin.data_preprocessor(data, True), mode='loss')
        twin.parse_losses(losses)[0].backward()
        found = gradients(twin)
        total = found if total is None else [a + b for a, b in zip(total, found)]
    for mean, both in zip(one, total):
        torch.testing.assert_close(mean, both / 2, rtol=1e-3, atol=1e-4)
    assert max(g.abs().max() for g in one) > 0


def test_a_checkpoint_of_another_grid_is_noticed(recwarn):
    checkpoint = learned().state_dict()
    learned().load_state_dict(checkpoint, strict=True)
    assert not [w for w in recwarn if 'grid_shape' in str(w.message)]
    with pytest.warns(UserWarning, match=r'map of \(9, 15\), but saliency.grid_shape is \(5, 8\)'):
        learned(grid_shape=(5, 8)).load_state_dict(checkpoint, strict=True)
