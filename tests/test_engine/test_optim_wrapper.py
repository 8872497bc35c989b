"""Mixed precision without a GPU."""

import torch
from mmengine.registry import OPTIM_WRAPPERS

from lzu_mm.engine import BFloat16OptimWrapper


def test_forward_is_bfloat16_and_weights_stay_float32():
    model = torch.nn.Linear(8, 1)
    before = model.weight.detach().clone()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        output = model(torch.ones(2, 8))
    assert output.dtype == torch.bfloat16

    wrapper.update_params(output.float().mean())
    # The gradient of the mean with respect to each weight is the mean input: 1.
    torch.testing.assert_close(model.weight, before - 0.1)
    assert model(torch.ones(2, 8)).dtype == torch.float32


def test_gradients_are_accumulated():
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = BFloat16OptimWrapper(optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for value, expected in ((1.0, 1.0), (3.0, -1.0)):
        with wrapper.optim_context(model):
            loss = model(torch.tensor([[value]])).sum()
        wrapper.update_params(loss.float())
        assert model.weight.item() == expected  # 1 − (1 + 3) / 2


def test_is_registered():
    assert OPTIM_WRAPPERS.get('lzu_mm.BFloat16OptimWrapper') is BFloat16OptimWrapper
