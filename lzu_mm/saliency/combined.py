"""Combined saliency S_C: a weighted sum of others (FOVEA: S_C = α S_I + (1 - α) S_D, α = 0.5)."""

from __future__ import annotations

import math
from typing import Any, Sequence

from torch import Tensor, nn

from ..checks import check_config, check_number
from ..registry import MODELS
from .base import BaseSaliency, refuse_targets
from .temporal import resize_saliency


@MODELS.register_module()
class CombinedSaliency(BaseSaliency):
    """Looks where several saliency modules look.

    Each map is normalised to sum 1 before it is weighed, and brought to the shape of the largest.

    Args:
        members: Configs of the saliency modules, at least one.
        weights: Their weights, non-negative and not all zero; equal by default.

    Raises:
        ValueError: If there are no members or the weights do not fit.
    """

    def __init__(
        self, members: Sequence[dict[str, Any]], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if not isinstance(members, (list, tuple)):
            raise ValueError(f'saliency.members must be a list of configs, got {members!r}')
        for index, member in enumerate(members):
            check_config(f'saliency.members[{index}]', member)
        weights = [1.0] * len(members) if weights is None else weights
        if not isinstance(weights, (list, tuple)):
            raise ValueError(f'saliency.weights must be a list of numbers, got {weights!r}')
        for weight in weights:
            check_number('each of saliency.weights', weight, '[0, inf)')
        if not members or len(weights) != len(members) or not 0 < sum(weights) < math.inf:
            raise ValueError(
                'saliency.weights must hold a non-negative number per entry of saliency.members, '
                f'not all zero: got {weights} for {len(members)} members'
            )
        self.members: Sequence[BaseSaliency] = nn.ModuleList(  # type: ignore[assignment]
            MODELS.build(dict(member, _scope_='lzu_mm')) for member in members
        )
        refuse_targets(self, 'saliency.members')
        self.weights = [weight / sum(weights) for weight in weights]

    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """See :meth:`BaseSaliency.forward`."""
        maps = [member(images, samples, training) for member in self.members]
        shape = max((m.shape[2:] for m in maps), key=lambda size: size.numel())
        return sum(weight * resize_saliency(m, shape) for weight, m in zip(self.weights, maps))

    def remember(self, samples: Sequence[Any], training: bool) -> None:
        """See :meth:`BaseSaliency.remember`."""
        for member in self.members:
            member.remember(samples, training)

    def reset(self) -> None:
        """See :meth:`BaseSaliency.reset`."""
        for member in self.members:
            member.reset()
