"""Made-up labelled images to try a model on, as stock pipelines would hand them over."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData

__all__ = ['labelled_batch']

# Corners of three boxes, and depths of what they hold, as shares of the image and in metres.
_BOXES = ((0.1, 0.1, 0.5, 0.6), (0.55, 0.3, 0.95, 0.9), (0.3, 0.5, 0.45, 0.7))
_DEPTHS = (8.0, 12.0, 20.0)
_COUNT = 2  # batch norm over a single cell needs more than one image


def labelled_batch(
    preprocessor: str, size: tuple[int, int], model: dict[str, Any], training: bool
) -> dict[str, Any]:
    """A batch with labels of all kinds, those that a model does not read included.

    Args:
        preprocessor: Name of the data preprocessor, whose library says what samples are.
        size: (h, w) of the images.
        model: The model's config, for the number of classes and the length of 3D boxes.
        training: Two labelled images instead of one, whose labels no model reads.

    Returns:
        ``inputs`` and ``data_samples``.
    """
    classes = min([*_numbers('num_classes', model), 81])
    channels = len(model['data_preprocessor'].get('mean') or (0, 0, 0))
    images = [torch.rand(channels, *size) * 255 for _ in range(_COUNT if training else 1)]
    if 'Seg' in preprocessor:
        samples = [_seg_sample(size, classes) for _ in images]
    elif 'Det3D' in preprocessor:
        lengths = _numbers('bbox_code_size', model) + _numbers('code_size', model)
        length = max(lengths, default=7)
        samples = [_mono3d_sample(size, classes, length) for _ in images]
        return {'inputs': {'img': images}, 'data_samples': samples}
    else:
        samples = [_det_sample(size, classes) for _ in images]
    return {'inputs': images, 'data_samples': samples}


def _metainfo(size: tuple[int, int]) -> dict[str, Any]:
    return dict(
        img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0), flip=False,
        flip_direction=None, img_id=0, img_path='',
    )  # fmt: skip


def _det_sample(size: tuple[int, int], classes: int) -> Any:
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks

    boxes = _boxes(size)
    masks = np.zeros((len(boxes), *size), dtype=np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist()):
        mask[y1:y2, x1:x2] = 1
    sample = DetDataSample(metainfo=_metainfo(size))
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=_labels(classes), masks=BitmapMasks(masks, *size)
    )
    sample.ignored_instances = InstanceData(bboxes=boxes[:0], labels=_labels(classes)[:0])
    sample.proposals = InstanceData(bboxes=boxes)
    sample.gt_sem_seg = PixelData(sem_seg=_stripes(size, classes))
    return sample


def _seg_sample(size: tuple[int, int], classes: int) -> Any:
    from mmseg.structures import SegDataSample

    sample = SegDataSample(metainfo=_metainfo(size))
    labels = _stripes(size, classes)
    sample.gt_sem_seg = PixelData(data=labels)
    sample.gt_edge_map = PixelData(data=(labels != labels.roll(1, -1)).long())
    sample.gt_depth_map = PixelData(data=labels + 1.0)
    return sample


def _mono3d_sample(size: tuple[int, int], classes: int, length: int) -> Any:
    from mmdet3d.structures import CameraInstance3DBoxes, Det3DDataSample

    h, w = size
    middle, depths = torch.tensor([w / 2, h / 2]), torch.tensor(_DEPTHS)
    boxes = _boxes(size)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    values = torch.full((len(boxes), length), 0.5)
    values[:, :2] = (centres - middle) / w * depths[:, None]
    values[:, 2], values[:, 3:6] = depths, 1.5
    sample = Det3DDataSample(
        metainfo=dict(
            _metainfo(size),
            cam2img=[[w, 0, w / 2, 0], [0, w, h / 2, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
            trans_mat=np.diag([0.25, 0.25, 1]).astype(np.float32),
            affine_aug=False,
            box_type_3d=CameraInstance3DBoxes,
        )
    )
    labels = _labels(classes)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=CameraInstance3DBoxes(values, box_dim=length, origin=(0.5, 0.5, 0.5)),
        labels_3d=labels,
        attr_labels=torch.arange(len(boxes)),
        centers_2d=centres,
        depths=depths,
    )
    return sample


def _boxes(size: tuple[int, int]) -> torch.Tensor:
    return torch.tensor(_BOXES) * torch.tensor([size[1], size[0]] * 2)


def _labels(classes: int) -> torch.Tensor:
    return torch.arange(len(_BOXES)) % classes


def _stripes(size: tuple[int, int], classes: int) -> torch.Tensor:
    """Labels (1, H, W) of a few classes in vertical stripes."""
    stripes = torch.arange(size[1]) * 8 // size[1] % min(classes, 4)
    return stripes.expand(1, *size).clone()


def _numbers(name: str, value: Any) -> list[int]:
    """All numbers of a name in a config."""
    if isinstance(value, (list, tuple)):
        return [number for item in value for number in _numbers(name, item)]
    if not isinstance(value, dict):
        return []
    own = [value[name]] if isinstance(value.get(name), int) else []
    return own + [number for item in value.values() for number in _numbers(name, item)]
