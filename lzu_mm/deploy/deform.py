"""Deformable convolution, as ONNX has it from opset 19 on.

``lzu_mm::deform_conv`` exists while a model is traced, and has no kernel.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, Callable, Iterator

import torch
from torch import Tensor
from torch.nn.modules.utils import _pair

from .rewrites import replaced

__all__ = ['OPSET', 'deforms', 'static_deform', 'translations']

OPSET = 19
_ARGUMENTS = (
    '(Tensor x, Tensor weight, Tensor offset, Tensor bias, Tensor mask, int[] stride, '
    'int[] padding, int[] dilation, int groups, int offset_groups)'
)


@lru_cache(maxsize=None)
def _operation() -> Any:
    """``lzu_mm::deform_conv``, made when it is first asked for."""
    torch.library.define('lzu_mm::deform_conv', f'{_ARGUMENTS} -> Tensor')

    @torch.library.register_fake('lzu_mm::deform_conv')
    def shape(x: Tensor, weight: Tensor, offset: Tensor, *others: Any) -> Tensor:
        return x.new_empty((x.shape[0], weight.shape[0], *offset.shape[2:]))

    return torch.ops.lzu_mm.deform_conv.default


def deforms(program: Any) -> bool:
    """Whether an exported program has deformable convolutions."""
    return any(node.target is _operation() for node in program.graph.nodes)


@contextmanager
def static_deform() -> Iterator[None]:
    """Let MMCV's deformable convolutions, v1 and v2, be traced."""
    from mmcv.ops import deform_conv2d, modulated_deform_conv2d

    with ExitStack() as stack:
        stack.enter_context(replaced(deform_conv2d, _first))
        stack.enter_context(replaced(modulated_deform_conv2d, _second))
        yield


def _first(x: Tensor, offset: Tensor, weight: Tensor, *settings: Any) -> Tensor:
    # Offsets are (y, x) of each tap. Behind the settings that both versions have comes what only
    # says how to compute.
    mask = offset.new_ones((len(x), offset.shape[1] // 2, *offset.shape[2:]))
    return _second(x, offset, mask, weight, None, *settings[:5])


def _second(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    deform_groups: int = 1,
) -> Tensor:
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    sides = (list(_pair(value)) for value in (stride, padding, dilation))
    return _operation()(x, weight, offset, bias, mask, *sides, groups, deform_groups)


def translations() -> dict[Any, Callable[..., Any]]:
    """How operations that ONNX does not know are written, for ``torch.onnx.export``."""
    from onnxscript import opset19 as op

    def translate(
        x: Any,
        weight: Any,
        offset: Any,
        bias: Any,
        mask: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        offset_groups: int,
    ) -> Any:
        return op.DeformConv(
            x,
            weight,
            offset,
            bias,
            mask,
            strides=list(stride),
            pads=[*padding, *padding],
            dilations=list(dilation),
            group=groups,
            offset_group=offset_groups,
        )

    return {_operation(): translate}
