"""Whether the classes of a dataset are those of its annotations, and of the model's heads.

MMDetection drops a class that the annotation file does not name, and moves the labels behind it; a
label that a head has no class for is its background. Neither says a word.
"""

from __future__ import annotations

import json
from typing import Any, Iterator, Sequence

from mmengine.fileio import get_text
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..datasets.ground_truth import base_datasets
from ..registry import HOOKS
from .weights import unwrapped

__all__ = ['ClassGuard', 'check_classes', 'check_order']

# Names in a message.
_SHOWN = 5


def check_classes(dataset: Any, model: nn.Module | None = None) -> None:
    """Refuse classes that the annotations or the heads do not have.

    Args:
        dataset: Of any MM library, wrapped or not; looked at where its annotations are COCO's.
        model: The detector whose box heads are to have as many classes.

    Raises:
        ValueError: If they differ; the message names the setting.
    """
    for inner in base_datasets(dataset):
        classes, ids = (
            getattr(inner, 'metainfo', {}).get('classes'),
            getattr(inner, 'cat_ids', None),
        )
        if classes is None or ids is None:
            continue
        if isinstance(classes, str):
            raise ValueError(
                f'metainfo.classes of {type(inner).__name__} is the string {classes!r}: a single '
                f'class is ({classes!r},), with a comma'
            )
        if len(ids) < len(set(classes)):
            known = _categories(inner)
            unknown = [name for name in classes if name not in known]
            raise ValueError(
                f'{inner.ann_file} has no category {_some(unknown)}; its categories are '
                f'{_some(known)}: mend metainfo.classes of the dataset'
            )
        if model is not None:
            _check_heads(model, inner, classes)


def check_order(*datasets: Any) -> None:
    """Refuse annotation files that name the same categories in different orders.

    MMDetection numbers labels in the order of the file, not in that of ``metainfo.classes``.

    Args:
        *datasets: To be trained and tested with one model; looked at as in :func:`check_classes`.

    Raises:
        ValueError: If the orders differ.
    """
    inners = [inner for dataset in datasets for inner in base_datasets(dataset)]
    inners = [inner for inner in inners if getattr(inner, 'cat_ids', None) is not None]
    for inner in inners[1:]:
        first, ids = list(inners[0].cat_ids), list(inner.cat_ids)
        if first != ids and sorted(first) == sorted(ids):
            raise ValueError(
                f'{inners[0].ann_file} and {inner.ann_file} have their categories in different '
                'orders, by which MMDetection numbers the labels: sort them alike'
            )


def _check_heads(model: nn.Module, dataset: Any, classes: Sequence[str]) -> None:
    # Panoptic heads have the things alone; those that read words have as many classes as words.
    if 'stuff_classes' in dataset.metainfo or hasattr(model, 'language_model'):
        return
    for name, head in _box_heads(model):
        if head.num_classes != len(classes):
            raise ValueError(
                f'{name} has num_classes={head.num_classes}, and {type(dataset).__name__} has '
                f'{len(classes)} classes: set num_classes of the head, or metainfo.classes'
            )


def _box_heads(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in model.named_modules():
        parts = name.split('.')
        last = parts[-2] if parts[-1].isdigit() else parts[-1]
        if last == 'bbox_head' and type(getattr(module, 'num_classes', None)) is int:
            yield f'model.{name}', module


def _some(names: Sequence[str]) -> str:
    shown = ', '.join(map(repr, names[:_SHOWN]))
    return f'{shown} and {len(names) - _SHOWN} more' if len(names) > _SHOWN else shown


def _categories(dataset: Any) -> list[str]:
    found = json.loads(get_text(dataset.ann_file, backend_args=dataset.backend_args))
    return [category['name'] for category in found['categories']]


@HOOKS.register_module()
class ClassGuard(Hook):
    """Checks classes before a training, and before a test."""

    def before_train(self, runner: Runner) -> None:
        """See ``mmengine.hooks.Hook``."""
        check_classes(runner.train_dataloader.dataset, unwrapped(runner.model))
        if runner.val_loop is not None:
            check_classes(runner.val_dataloader.dataset)
            check_order(runner.train_dataloader.dataset, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """See ``mmengine.hooks.Hook``."""
        check_classes(runner.test_dataloader.dataset)
