"""Metrics beside the stock ones, each imported with its library when it is asked for."""

from typing import TYPE_CHECKING

from ..lazy import lazy_exports

if TYPE_CHECKING:
    from .fine_coco import FineCocoMetric
    from .streaming_coco import StreamingCocoMetric

__all__ = ['FineCocoMetric', 'StreamingCocoMetric']

__getattr__, __dir__ = lazy_exports(
    __name__,
    {'fine_coco': ['FineCocoMetric'], 'streaming_coco': ['StreamingCocoMetric']},
)
