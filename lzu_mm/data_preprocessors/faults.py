"""Metainfo and labels that cannot be right, named with the file of their image.

Looked at before they are moved to the device, where looking would wait for it.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..frames import FLIPPED_DIMS, name_of

_INSTANCES = ('gt_instances', 'ignored_instances')
# Of MMSegmentation; MMDetection's may be coarser than the image.
_MAPS = ('gt_sem_seg', 'gt_edge_map', 'gt_depth_map')


def refuse_faults(
    images: Sequence[Tensor], samples: Sequence[Any] | None, training: bool, maps: bool
) -> None:
    """Refuse a batch with an image whose metainfo or labels cannot be right.

    Args:
        images: Source images, each (C, H, W).
        samples: Their data samples, if any.
        training: Whether labels are in the frame of the images, and read.
        maps: Whether label maps have the size of their image.

    Raises:
        ValueError: If there is one; it names the file and what is wrong.
    """
    for image, sample in zip(images, samples or ()):
        if sample is None:
            continue
        fault = next(_faults(sample, tuple(image.shape[-2:]), training, maps), None)
        if fault is not None:
            raise ValueError(
                f'{name_of(sample.metainfo)}: {fault}. Mend the annotation of this image, or the '
                'transform that made it, or leave the image out'
            )


def _faults(sample: Any, size: tuple[int, ...], training: bool, maps: bool) -> Iterator[str]:
    yield from _faults_of_metainfo(sample.metainfo)
    if not training:
        return
    for name in _INSTANCES:
        if name in sample:
            for fault in _faults_of_instances(sample.get(name), size):
                yield f'{name}.{fault}'
    for name in _MAPS if maps else ():
        values = next(iter(sample.get(name).values()), None) if name in sample else None
        if values is not None and tuple(values.shape[-2:]) != size:
            yield f'{name} is of {tuple(values.shape[-2:])}, but the image of {size}'


def _faults_of_metainfo(metainfo: Mapping[str, Any]) -> Iterator[str]:
    shape = metainfo.get('ori_shape')
    if shape is not None and not (_is_numeric(shape) and len(shape) >= 2 and min(shape[:2]) > 0):
        yield f'ori_shape={shape!r} is no (h, w)'
    factor = metainfo.get('scale_factor', 1.0)
    if not _is_numeric(factor) or np.size(factor) not in (1, 2, 4) or np.min(factor) <= 0:
        yield f'scale_factor={factor!r} is no ratio, nor (w, h)'
    direction = metainfo.get('flip_direction') or 'horizontal'
    if metainfo.get('flip') and direction not in FLIPPED_DIMS:
        yield f'flip_direction={direction!r} is none of {sorted(FLIPPED_DIMS)}'
    camera = metainfo.get('cam2img')
    if camera is not None and not (_is_numeric(camera) and _is_camera(np.shape(camera))):
        yield f'cam2img={camera!r} is no matrix of a camera'


def _faults_of_instances(instances: Any, size: tuple[int, ...]) -> Iterator[str]:
    for name in ('bboxes', 'centers_2d'):
        if name not in instances:
            continue
        held = instances.get(name)
        values = held if isinstance(held, Tensor) else held.tensor
        # Rotated boxes have five numbers, in a class of their own.
        if values.dim() != 2 or (values is held and values.shape[1] % 2):
            yield f'{name} has the shape {tuple(values.shape)}'
            return
        bad = (~torch.isfinite(values)).any(dim=-1).nonzero()
        if len(bad):
            yield f'{name}[{int(bad[0, 0])}] is {values[bad[0, 0]].tolist()}'
    if 'masks' in instances:
        masks = instances.masks
        found = (masks.height, masks.width) if hasattr(masks, 'height') else masks.shape[-2:]
        if tuple(found) != size:
            yield f'masks are of {tuple(found)}, but the image of {size}'


def _is_camera(shape: Sequence[int]) -> bool:
    return len(shape) >= 2 and min(shape[-2:]) >= 3


def _is_numeric(value: Any) -> bool:
    """Whether a value is a number or an array of them, and all are finite."""
    try:
        values = np.asarray(value.cpu() if isinstance(value, Tensor) else value, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return bool(np.isfinite(values).all())
