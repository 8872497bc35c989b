"""DETR and its kin: stock functions in forms that a trace can follow.

MMDetection hands the sizes of the levels on as a tensor, and then counts, splits and asserts by its
numbers, which a trace does not have. Here they are what they were before: pairs of integers.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import Any, Iterator, Sequence

import torch
from mmengine.model import stack_batch
from torch import Tensor

from .rewrites import attribute, replaced, static_stack

__all__ = ['static_transformer']


def static_attention(
    attention: Any,
    query: Tensor,
    key: Any = None,
    value: Tensor | None = None,
    identity: Tensor | None = None,
    query_pos: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
    reference_points: Any = None,
    spatial_shapes: Sequence[tuple[int, int]] = (),
    **others: Any,
) -> Tensor:
    """``MultiScaleDeformableAttention.forward`` of levels (h, w) that are no tensors."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    value = query if value is None else value
    identity = query if identity is None else identity
    query = query if query_pos is None else query + query_pos
    if not attention.batch_first:
        query, value = query.transpose(0, 1), value.transpose(0, 1)
    value = attention.value_proj(value)
    if key_padding_mask is not None:
        value = value.masked_fill(key_padding_mask[..., None], 0.0)
    heads, levels, points = attention.num_heads, attention.num_levels, attention.num_points
    offsets = attention.sampling_offsets(query).unflatten(2, (heads, levels, points, 2))
    weights = attention.attention_weights(query).unflatten(2, (heads, levels * points))
    weights = weights.softmax(dim=-1).unflatten(3, (levels, points))
    # (n, query, 1, level, 1, 2 or 4): a point, or the middle of a box and its size.
    reference = reference_points[:, :, None, :, None]
    if reference.shape[-1] == 2:
        unit = offsets.new_tensor([(w, h) for h, w in spatial_shapes])[:, None]
    else:
        unit = 2 * points / reference[..., 2:]
    places = reference[..., :2] + offsets / unit
    found = multi_scale_deformable_attn_pytorch(
        value.unflatten(2, (heads, -1)), spatial_shapes, places, weights
    )
    found = attention.output_proj(found)
    return identity + (found if attention.batch_first else found.transpose(0, 1))


def static_inverse_sigmoid(x: Tensor, eps: float = 1e-5) -> Tensor:
    """``inverse_sigmoid`` without clamping twice, which the optimiser of torch's export breaks."""
    return torch.log(x.clamp(eps, 1.0) / (1 - x).clamp(eps, 1.0))


@contextmanager
def static_transformer() -> Iterator[None]:
    """Let DETR, Deformable DETR, DINO and what comes before them be traced."""
    from mmcv.ops import MultiScaleDeformableAttention
    from mmdet.models.detectors import DeformableDETR
    from mmdet.models.layers import inverse_sigmoid

    stock_inputs = DeformableDETR.pre_transformer

    def inputs(detector: Any, levels: Sequence[Tensor], samples: Any = None) -> Any:
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        return [
            {**given, 'spatial_shapes': sizes} for given in stock_inputs(detector, levels, samples)
        ]

    with ExitStack() as stack:
        enter = stack.enter_context
        enter(replaced(stack_batch, static_stack))
        enter(replaced(inverse_sigmoid, static_inverse_sigmoid))
        # Of which the stock one reads the memory.
        enter(attribute(torch, '_shape_as_tensor', lambda feature: torch.tensor(feature.shape)))
        enter(attribute(DeformableDETR, 'pre_transformer', inputs))
        enter(attribute(MultiScaleDeformableAttention, 'forward', static_attention))
        yield
