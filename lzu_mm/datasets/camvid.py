"""CamVid, driving scenes with labels of eleven classes."""

from __future__ import annotations

from typing import Any

from mmseg.datasets import BaseSegDataset

from ..registry import DATASETS

_CLASSES = {
    'sky': (128, 128, 128),
    'building': (128, 0, 0),
    'pole': (192, 192, 128),
    'road': (128, 64, 128),
    'pavement': (60, 40, 222),
    'tree': (128, 128, 0),
    'sign': (192, 128, 128),
    'fence': (64, 64, 128),
    'car': (64, 0, 128),
    'pedestrian': (64, 64, 0),
    'bicyclist': (0, 128, 192),
}


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid (Brostow et al., 2009) in the form that SegNet gave it: eleven classes and void.

    ``tools/dataset_converters/camvid.py`` writes the files. Void, 11 in them, is ignored.

    Args:
        img_suffix: Of the images.
        seg_map_suffix: Of the label maps.
        metainfo: Classes to keep, as for ``BaseSegDataset``; the others become void.
        **kwargs: As for ``BaseSegDataset``.
    """

    METAINFO = dict(classes=(*_CLASSES, 'void'), palette=[*_CLASSES.values(), (0, 0, 0)])

    def __init__(
        self,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        metainfo: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            metainfo={'classes': tuple(_CLASSES), **(metainfo or {})},
            **kwargs,
        )
