"""A data set of two images, in the form that the stock pipelines of each library take."""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.registry import DATASETS

__all__ = ['SweptDataset', 'batch', 'make_files', 'provide_panopticapi', 'with_swept_data']

_BLOCK = 8


def provide_panopticapi() -> None:
    """Stand in for the one function of panopticapi that pipelines call, if it is not installed."""
    if importlib.util.find_spec('panopticapi') is not None:
        return
    package, utils = ModuleType('panopticapi'), ModuleType('panopticapi.utils')

    def rgb2id(colours: np.ndarray) -> np.ndarray:
        return colours.astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)

    vars(utils).update(rgb2id=rgb2id, VOID=0)
    vars(package).update(utils=utils)
    sys.modules.update({'panopticapi': package, 'panopticapi.utils': utils})


@DATASETS.register_module()
class SweptDataset(BaseDataset):
    """Two images with labels of every kind, from memory.

    Args:
        infos: What stock data sets give to the first transform.
        pipeline: The transforms.
        classes: Names of the classes.
    """

    def __init__(self, infos: list[dict[str, Any]], pipeline: list[Any], classes: int) -> None:
        self._infos = infos
        names = tuple(f'thing{i}' for i in range(classes))
        super().__init__(metainfo=dict(classes=names), pipeline=pipeline, serialize_data=False)

    def load_data_list(self) -> list[dict[str, Any]]:
        """See ``BaseDataset.load_data_list``."""
        return copy.deepcopy(self._infos)

    def get_cat_ids(self, index: int) -> list[int]:
        """Classes in an image, which wrappers that balance them ask for."""
        return [instance['bbox_label'] for instance in self._infos[index].get('instances', [])]


def make_files(folder: Path, size: tuple[int, int], classes: int, seed: int = 0) -> Path:
    """Write an image of coarse blocks, its half, and label maps.

    Args:
        folder: Where to.
        size: (h, w).
        classes: Labels go from 0 to this, exclusive.
        seed: Of the content.

    Returns:
        The folder.
    """
    random = np.random.default_rng(seed)
    h, w = size
    cells = (-(-h // _BLOCK), -(-w // _BLOCK))
    colours = random.integers(0, 255, (*cells, 3), dtype=np.uint8)
    labels = random.integers(0, min(classes, 5), (-(-cells[0] // 4), -(-cells[1] // 4)))
    _write(folder / f'{seed}.png', _blocks(colours, _BLOCK, size))
    _write(folder / f'{seed}_half.png', _blocks(colours, _BLOCK // 2, (h // 2, w // 2)))
    _write(folder / f'{seed}_labels.png', _blocks(labels.astype(np.uint8), 4 * _BLOCK, size))
    return folder


def _blocks(cells: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    return cells.repeat(side, 0).repeat(side, 1)[: size[0], : size[1]]


def _write(path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(path), image)


def infos(
    library: str, folder: Path, size: tuple[int, int], classes: int, half: bool = False, **more: Any
) -> list[dict[str, Any]]:
    """What the data sets of a library give to their first transform, for two images."""
    make = {'mmdet': _det_info, 'mmseg': _seg_info, 'mmdet3d': _mono3d_info}[library]
    return [make(folder, size, classes, i, half, **more) for i in range(2)]


def _boxes(size: tuple[int, int]) -> np.ndarray:
    h, w = size
    shares = [[0.1, 0.1, 0.5, 0.6], [0.55, 0.3, 0.95, 0.9], [0.3, 0.5, 0.45, 0.7]]
    return np.array(shares) * [w, h, w, h]


def _det_info(
    folder: Path, size: tuple[int, int], classes: int, index: int, half: bool,
    proposals: bool = False, **_: Any,
) -> dict[str, Any]:  # fmt: skip
    instances = []
    for i, (x1, y1, x2, y2) in enumerate(_boxes(size).tolist()):
        polygon = [x1, y1, x2, y1, x2, y2, x1, y2]
        instances.append(
            dict(bbox=[x1, y1, x2, y2], bbox_label=i % classes, ignore_flag=0, mask=[polygon])
        )
    boxes = _boxes(size).astype(np.float32)
    given = dict(proposals=dict(bboxes=boxes, scores=boxes[:, 0] * 0 + 0.5)) if proposals else {}
    return dict(
        given, img_path=str(folder / f'{index}.png'), img_id=index, height=size[0], width=size[1],
        seg_map_path=str(folder / f'{index}_labels.png'), instances=instances,
        segments_info=_segments(folder / f'{index}_labels.png'),
        label_map=None,
        sample_idx=index, text=tuple(f'thing{i}' for i in range(classes)), custom_entities=True,
        caption_prompt=None,
    )  # fmt: skip


def _segments(labels: Path) -> list[dict[str, Any]]:
    """A segment for each label, whose colour is its grey; as many things as there are boxes."""
    values = np.unique(cv2.imread(str(labels), cv2.IMREAD_GRAYSCALE)).tolist()
    return [dict(id=v * 0x010101, category=v, is_thing=v < 3) for v in values]


def _seg_info(
    folder: Path, size: tuple[int, int], classes: int, index: int, half: bool,
    reduce_zero_label: bool = False, **_: Any,
) -> dict[str, Any]:  # fmt: skip
    return dict(
        img_path=str(folder / f'{index}.png'), img_path2=str(folder / f'{index}.png'),
        seg_map_path=str(folder / f'{index}_labels.png'), label_map=None,
        depth_map_path=str(folder / f'{index}_labels.png'), category_id=0,
        reduce_zero_label=reduce_zero_label, seg_fields=[],
    )  # fmt: skip


def _mono3d_info(
    folder: Path, size: tuple[int, int], classes: int, index: int, half: bool,
    box_size: int = 9, **_: Any,
) -> dict[str, Any]:  # fmt: skip
    from mmdet3d.structures import CameraInstance3DBoxes

    h, w = size
    camera = np.eye(4, dtype=np.float32)
    camera[:2, :3] = [[0.8 * w, 0, w / 2], [0, 0.8 * w, h / 2]]
    depths = np.array([8.0, 12, 20], dtype=np.float32)
    centres = np.array([[0.3, 0.4], [0.6, 0.5], [0.5, 0.7]], dtype=np.float32) * [w, h]
    across = (centres - [w / 2, h / 2]) / (0.8 * w) * depths[:, None]
    boxes = np.zeros((3, box_size), dtype=np.float32)
    boxes[:, :2], boxes[:, 2] = across, depths
    boxes[:, 3:6], boxes[:, 6] = (2.0, 1.6, 1.5), (0.1, 1.0, -0.5)
    labels = np.arange(3) % classes
    if half:
        camera[:2] /= 2
    name = f'{index}_half.png' if half else f'{index}.png'
    annotations = dict(
        gt_bboxes=_boxes(size).astype(np.float32), gt_bboxes_labels=labels,
        gt_bboxes_3d=CameraInstance3DBoxes(boxes, box_dim=box_size, origin=(0.5, 0.5, 0.5)),
        gt_labels_3d=labels, attr_labels=np.arange(3), centers_2d=centres.astype(np.float32),
        depths=depths,
    )  # fmt: skip
    return dict(
        images=dict(CAM2=dict(img_path=str(folder / name), cam2img=camera.tolist())),
        sample_idx=index, ann_info=annotations, eval_ann_info=copy.deepcopy(annotations),
        box_type_3d=CameraInstance3DBoxes, box_mode_3d=2,
    )  # fmt: skip


def with_swept_data(dataset: Any, infos: list[dict[str, Any]], classes: int) -> Any:
    """A data set's config with the innermost data sets exchanged, within its wrappers."""
    if isinstance(dataset, (list, tuple)):
        return [with_swept_data(one, infos, classes) for one in dataset]
    kept = {k: v for k, v in dataset.items() if k not in ('_scope_',)}
    for key in ('dataset', 'datasets'):
        if key in kept:
            return {**kept, key: with_swept_data(kept[key], infos, classes)}
    pipeline = kept.get('pipeline', [])
    return dict(type='mmengine.SweptDataset', infos=infos, pipeline=pipeline, classes=classes)


def batch(dataset: dict[str, Any], count: int) -> dict[str, Any]:
    """The first samples of a data set, as a stock data loader hands them over."""
    built = DATASETS.build(dataset)
    # The last one is of another part, where data sets are concatenated.
    return pseudo_collate([built[i] for i in (0, len(built) - 1)[:count]])
