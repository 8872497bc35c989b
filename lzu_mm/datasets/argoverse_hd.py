"""Argoverse-HD (Li et al., Towards Streaming Perception, ECCV 2020) for MMDetection.

The annotations are COCO json files with a few additional keys: an image has ``name``, ``sid``
(which video) and ``fid`` (which frame of it) instead of ``file_name``, and the file lists the
folder of each video in ``seq_dirs``. The stock ``CocoMetric`` evaluates it.
"""

from __future__ import annotations

import os.path as osp
from collections import Counter
from typing import Any

from mmdet.datasets import CocoDataset

from ..registry import DATASETS

__all__ = ['ArgoverseHDDataset']


@DATASETS.register_module()
class ArgoverseHDDataset(CocoDataset):
    """Frames of Argoverse-HD, in the order of the videos.

    An image lies at ``<data_prefix['img']>/<seq_dirs[sid]>/<name>``. Its data info carries
    ``video_id`` (``sid``), ``frame_id`` (``fid``, 0 starts a video) and ``video_length`` (frames of
    that video in the file); add them to the ``meta_keys`` of ``PackDetInputs`` to have them in the
    data samples.

    Args:
        *args, **kwargs: as for :class:`mmdet.datasets.CocoDataset`.
    """

    METAINFO = {
        'classes': (
            'person',
            'bicycle',
            'car',
            'motorcycle',
            'bus',
            'truck',
            'traffic_light',
            'stop_sign',
        ),
        'palette': [
            (230, 57, 70),
            (255, 158, 0),
            (58, 134, 255),
            (255, 0, 110),
            (131, 56, 236),
            (0, 187, 180),
            (255, 214, 10),
            (106, 190, 48),
        ],
    }

    def load_data_list(self) -> list[dict]:
        """Reads the annotation file.

        Returns:
            One dict per image, sorted by video and frame.

        Raises:
            ValueError: if the file has no sequences, and so is not Argoverse-HD's.
        """
        data_list = super().load_data_list()
        lengths = Counter(info['video_id'] for info in data_list)
        for info in data_list:
            info['video_length'] = lengths[info['video_id']]
        return sorted(data_list, key=lambda info: (info['video_id'], info['frame_id']))

    def parse_data_info(self, raw_data_info: dict) -> dict[str, Any]:
        """Converts one image of the annotation file.

        Args:
            raw_data_info: ``raw_img_info`` and ``raw_ann_info``, as in the json file.

        Returns:
            The data info of ``CocoDataset``, with ``video_id`` and ``frame_id``.

        Raises:
            ValueError: if the file has no sequences, and so is not Argoverse-HD's.
        """
        image = raw_data_info['raw_img_info']
        try:
            folder = self.coco.dataset['seq_dirs'][image['sid']]
            video_id, frame_id, name = image['sid'], image['fid'], image['name']
        except KeyError as error:
            raise ValueError(
                f"ann_file={self.ann_file!r} has no key {error}: Argoverse-HD's json lists "
                "'seq_dirs', and 'sid', 'fid' and 'name' for each image. For a plain COCO file "
                "set the dataset's type to 'CocoDataset'."
            ) from error
        image = {**image, 'file_name': osp.join(folder, name)}
        data_info = super().parse_data_info({**raw_data_info, 'raw_img_info': image})
        return {**data_info, 'video_id': video_id, 'frame_id': frame_id}
