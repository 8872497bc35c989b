"""A saliency that learns, in two processes, under DDP as it is set up by default."""

import multiprocessing

import pytest
import torch
import torch.distributed as dist
from torch import nn

from lzu_mm.nn import SaliencyNet, ZoomedBackbone, zoom_

from ..ranks import leave_group

STEPS = 3


class Body(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, images):
        return self.layers(images)


def detector(patched):
    """A backbone that learns where to look, and a head; the same in all processes."""
    torch.manual_seed(0)
    saliency = SaliencyNet((8, 10), (32, 48))
    # It starts uniform otherwise, and most of it without a gradient.
    nn.init.normal_(saliency.head.weight)
    backbone = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.ReLU())
    if patched:
        model = nn.Sequential(Body(backbone), nn.Conv2d(8, 4, 1))
        zoom_(model, '0', saliency)
        return model
    return nn.Sequential(ZoomedBackbone(backbone, saliency), nn.Conv2d(8, 4, 1))


def loss_of(model, rank, step=0):
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(10 * rank + step))
    return (model(images) - images[:, :1, ::8, ::8]).square().mean()


def gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def train(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/group', rank=rank, world_size=2)
    for patched in (False, True):
        torch.save(steps_of(rank, detector(patched)), f'{folder}/{rank}_{patched}.pth')
    leave_group()


def steps_of(rank, model):
    wrapped = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = []
    # DDP raises in the step after one that left a parameter out.
    for step in range(STEPS):
        optimizer.zero_grad()
        loss_of(wrapped, rank, step).backward()
        found.append(gradients(model))
        optimizer.step()
    return found, model.state_dict()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    # Both have torch from one process that imported it.
    multiprocessing.set_forkserver_preload([__name__])
    torch.multiprocessing.start_processes(
        train, (str(folder),), nprocs=2, start_method='forkserver'
    )
    return {path.stem: torch.load(path) for path in folder.glob('*.pth')}


@pytest.mark.parametrize('patched', [False, True])
def test_both_processes_have_the_mean_of_their_gradients(trained, patched):
    (found, state), (other_found, other_state) = (trained[f'{rank}_{patched}'] for rank in (0, 1))
    for own, other in zip([*found, state], [*other_found, other_state]):
        assert list(own) == list(other)
        assert all(torch.equal(own[name], other[name]) for name in own)
    alone = []
    for rank in (0, 1):
        model = detector(patched)
        loss_of(model, rank).backward()
        alone.append(gradients(model))
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, (alone[0][name] + alone[1][name]) / 2)
        # A softmax takes no notice of the bias before it.
        if not name.endswith('head.bias'):
            assert (alone[0][name] - alone[1][name]).abs().max() > 1e-6
    # It goes on to learn, the saliency with the rest.
    start = detector(patched).state_dict()
    for name, value in state.items():
        assert name.endswith('head.bias') or not torch.equal(value, start[name])
