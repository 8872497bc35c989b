"""What learns where to look trains under DDP as it is set up by default."""

import copy

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper

from ..models import batch, build, scoped, stock_config, zoomed_config
from ..ranks import leave_group

SIZE = (64, 96)
LEARNED = dict(type='lzu_mm.LearnedSaliency', grid_shape=(8, 10), input_size=(32, 48))


@pytest.fixture
def group(tmp_path):
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path / "group"}', rank=0, world_size=1
    )
    yield
    leave_group()


def model_of(saliency, **settings):
    scoped('mmdet')
    zoom = dict(scale=0.5, saliency=saliency, **settings)
    config = zoomed_config(stock_config('retinanet'), 'retinanet', zoom)
    return build(dict(config, _scope_='mmdet')).train()


def data_of(seed=0, boxes=True):
    data = batch('retinanet', [SIZE], seed)
    if not boxes:
        for name in ('gt_instances', 'ignored_instances'):
            sample = data['data_samples'][0]
            sample.set_data({name: sample.get(name)[:0]})
    return data


@pytest.mark.parametrize(
    ('saliency', 'settings'),
    [
        (dict(type='lzu_mm.LearnedKDE', drop_prob=0.0), {}),
        (LEARNED, dict(train_prob=0.5)),
        (LEARNED, dict(train_prob=0.0)),
    ],
)
def test_every_step_reaches_what_learns(group, saliency, settings):
    model = model_of(saliency, **settings)
    wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 1e-5))
    # DDP raises in the step after one that left a parameter out.
    for step in range(5):
        wrapped.train_step(data_of(step, boxes=step % 2 == 0), optimizer)


def test_processes_draw_alike_whatever_their_seeds():
    drawn = []
    for seed in (1, 2):
        preprocessor = model_of(LEARNED, train_prob=0.5).data_preprocessor
        torch.manual_seed(seed)
        zoomed = []
        for _ in range(20):
            preprocessor(data_of(), True)
            zoomed.append(preprocessor.link.batch.warp is not None)
            torch.rand(seed)
        drawn.append(zoomed)
        # Images are not scaled otherwise where the draw leaves them out.
        assert preprocessor.link.batch.skipped is not zoomed[-1]
    assert drawn[0] == drawn[1]
    assert 4 < sum(drawn[0]) < 16


def segmentor_with_edges():
    scoped('mmseg')
    zoom = dict(size=(64, 96), saliency=LEARNED, labels='warped', train_prob=0.5)
    config = zoomed_config(stock_config('pspnet'), 'pspnet', zoom, neck=False)
    config.auxiliary_head = [config.auxiliary_head, dict(type='lzu_mm.SaliencyEdgeHead')]
    return build(dict(config, _scope_='mmseg')).train()


def test_edges_are_taught_under_ddp_in_batches_that_are_zoomed(group):
    model = segmentor_with_edges()
    wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 1e-4))
    head = model.data_preprocessor.saliency.head.weight
    learned = {}
    for step in range(8):
        before = head.detach().clone()
        losses = wrapped.train_step(batch('pspnet', [(64, 96)] * 2, seed=step), optimizer)
        skipped = model.data_preprocessor.link.batch.skipped
        assert (float(losses['aux_1.loss_edge']) == 0) is skipped
        learned.setdefault(skipped, []).append(not torch.equal(head, before))
    # A batch that is left out teaches the saliency nothing, not even through DDP's reducer.
    assert not any(learned[True])
    assert all(learned[False])


def test_a_skipped_batch_has_no_edges_to_teach():
    model = segmentor_with_edges()
    data = batch('pspnet', [(64, 96)] * 2)
    found = {}
    for _ in range(8):
        inputs = model.data_preprocessor(copy.deepcopy(data), True)
        skipped = model.data_preprocessor.link.batch.skipped
        if skipped in found:
            continue
        found[skipped] = float(model(**inputs, mode='loss')['aux_1.loss_edge'].detach())
    assert found[True] == 0
    assert found[False] > 0
