"""Mixed precision without a GPU."""

from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast

from ..registry import OPTIM_WRAPPERS

__all__ = ['BFloat16OptimWrapper']


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train in bfloat16, on a CPU or a GPU.

    mmengine's `AmpOptimWrapper` refuses to run without a GPU. bfloat16 has the exponents of
    float32, so that gradients neither vanish nor overflow and no loss scaling is needed.

    Args:
        **kwargs: As for `mmengine.optim.OptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast, in addition to what the parent does.

        Args:
            model: The model that is trained.
        """
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
