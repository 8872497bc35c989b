"""Ground truth drawn on an image: 2D boxes, projected 3D boxes and label maps alike.

Convention: outlines are (x, y), normalised to [0, 1] over the image, so that they fit the source
and the unzoomed image of any size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

import cv2
import numpy as np

from .warp import draw_lines

__all__ = ['Labels', 'draw_labels', 'labels_of_sample']

_NEAR = 0.1  # m; 3D boxes are cut off this far in front of the camera
_OPACITY = 0.5
# Corners of a 3D box as MMDetection3D orders them, pairwise.
_FACES = ((0, 1), (1, 2), (2, 3), (3, 0)), ((4, 5), (5, 6), (6, 7), (7, 4))
_EDGES = (*_FACES[0], *_FACES[1], (0, 4), (1, 5), (2, 6), (3, 7))


@dataclass
class Labels:
    """Ground truth of an image.

    Attributes:
        outlines: Lines of (P, 2) points each, normalised.
        classes: The class of each line.
        label_map: (h, w) integers, 255 where unlabelled; None if there is none.
    """

    outlines: list[np.ndarray] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    label_map: np.ndarray | None = None


def labels_of_sample(sample: Any, training: bool) -> Labels:
    """Ground truth of a data sample of any MM library.

    Args:
        sample: A ``DetDataSample``, ``SegDataSample`` or monocular ``Det3DDataSample``.
        training: Whether labels are in the coordinates of the image (``img_shape``), as in
            training, or of the original image (``ori_shape``), as at test.

    Returns:
        The labels; empty where the sample has none.
    """
    metainfo = sample.metainfo
    if 'gt_sem_seg' in sample:
        pixels = sample.gt_sem_seg
        label_map = pixels.data if 'data' in pixels else pixels.sem_seg
        return Labels(label_map=label_map.squeeze(0).cpu().numpy())
    boxes_3d, classes = _boxes_3d(sample)
    if boxes_3d is not None:
        return _project(boxes_3d, classes, metainfo['cam2img'], metainfo['img_shape'])
    if 'gt_instances' in sample and 'bboxes' in sample.gt_instances:
        h, w = metainfo['img_shape' if training else 'ori_shape'][:2]
        boxes = getattr(sample.gt_instances.bboxes, 'tensor', sample.gt_instances.bboxes)
        outlines = [_rectangle(box) for box in boxes.cpu().numpy() / (w, h, w, h)]
        return Labels(outlines, sample.gt_instances.labels.tolist())
    return Labels()


def draw_labels(
    image: np.ndarray, labels: Labels, palette: Sequence[Sequence[int]], width: float = 1
) -> np.ndarray:
    """Draws outlines and tints labelled pixels.

    Args:
        image: (h, w, 3) uint8, BGR.
        labels: Labels of this image, or of one that it was uniformly resized from.
        palette: RGB of each class.
        width: Line width in 640ths of the image's longer side.

    Returns:
        (h, w, 3) uint8, BGR.
    """
    colors = np.asarray(palette, dtype=np.uint8)[:, ::-1]
    drawn = image.copy()
    if labels.label_map is not None:
        label_map = labels.label_map.astype(np.uint8)
        classes = cv2.resize(label_map, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        known = classes < len(colors)
        tint = colors[classes[known]]
        drawn[known] = ((1 - _OPACITY) * drawn[known] + _OPACITY * tint).astype(np.uint8)
    for outline, index in zip(labels.outlines, labels.classes):
        draw_lines(drawn, outline, colors[index % len(colors)].tolist(), width)
    return drawn


def _rectangle(box: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)])


def _boxes_3d(sample: Any) -> tuple[Any, list[int]]:
    """3D boxes in the camera's frame, packed for training or set aside for evaluation."""
    if 'gt_instances_3d' in sample and 'bboxes_3d' in sample.gt_instances_3d:
        instances = sample.gt_instances_3d
        return instances.bboxes_3d, instances.labels_3d.tolist()
    held_back = sample.get('eval_ann_info')
    if held_back:
        return held_back['gt_bboxes_3d'], held_back['gt_labels_3d'].tolist()
    return None, []


def _project(boxes: Any, classes: list[int], cam2img: Any, img_shape: Sequence[int]) -> Labels:
    """The twelve edges of each box, as the camera sees them."""
    camera = np.asarray(getattr(cam2img, 'tolist', lambda: cam2img)(), dtype=np.float64)[:3, :3]
    labels = Labels()
    for corners, index in zip(boxes.corners.cpu().numpy().astype(np.float64), classes):
        for start, end in _EDGES:
            edge = _in_front(corners[start], corners[end])
            if edge is not None:
                pixels = edge @ camera.T
                labels.outlines.append(pixels[:, :2] / pixels[:, 2:] / (img_shape[1], img_shape[0]))
                labels.classes.append(int(index))
    return labels


def _in_front(start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """The part of an edge in front of the camera, as two ends (2, 3); None if there is none."""
    if max(start[2], end[2]) <= _NEAR:
        return None
    near, far = (start, end) if start[2] < end[2] else (end, start)
    if near[2] < _NEAR:
        near = near + (far - near) * (_NEAR - near[2]) / (far[2] - near[2])
    return np.stack((near, far))
