"""Batches for timing: random images with the metainfo that each library needs."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import InstanceData

# (h, w) of the images of the datasets, which reach the zoom whole.
NATIVE_SIZES = {
    'ArgoverseHDDataset': (1200, 1920),
    'CityscapesDataset': (1024, 2048),
    'NuScenesDataset': (900, 1600),
}


def make_batch(scope: str, size: tuple[int, int], batch_size: int) -> dict[str, Any]:
    """Make a batch as a dataloader would at test time.

    Args:
        scope: 'mmdet', 'mmseg' or 'mmdet3d'.
        size: (h, w) of the images.
        batch_size: Number of images.

    Returns:
        ``inputs``, uint8, and ``data_samples``.
    """
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
        for _ in range(batch_size)
    ]
    samples = [_sample(scope, size) for _ in images]
    return {'inputs': {'img': images} if scope == 'mmdet3d' else images, 'data_samples': samples}


def put_detections(samples: list[Any], count: int) -> None:
    """Replace a model's detections by random ones, for the saliency of the next frame.

    Args:
        samples: The samples of a tested batch.
        count: Number of detections in each.
    """
    generator = torch.Generator().manual_seed(0)
    for sample in samples:
        h, w = sample.metainfo['ori_shape'][:2]
        centre = torch.rand(count, 2, generator=generator) * torch.tensor([w, h])
        extent = 10 + 40 * torch.rand(count, 2, generator=generator)
        device = sample.pred_instances.bboxes.device
        sample.pred_instances = InstanceData(
            bboxes=torch.cat((centre - extent, centre + extent), dim=1).to(device),
            scores=torch.full((count,), 0.9, device=device),
            labels=torch.zeros(count, dtype=torch.long, device=device),
        )


def _sample(scope: str, size: tuple[int, int]) -> Any:
    metainfo = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    if scope == 'mmdet':
        from mmdet.structures import DetDataSample

        return DetDataSample(metainfo=metainfo)
    if scope == 'mmseg':
        from mmseg.structures import SegDataSample

        return SegDataSample(metainfo=metainfo)
    if scope == 'mmdet3d':
        from mmdet3d.structures import CameraInstance3DBoxes, Det3DDataSample

        h, w = size
        cam2img = [[0.8 * w, 0.0, w / 2], [0.0, 0.8 * w, h / 2], [0.0, 0.0, 1.0]]
        return Det3DDataSample(
            metainfo=dict(metainfo, cam2img=cam2img, box_type_3d=CameraInstance3DBoxes)
        )
    raise ValueError(f"default_scope must be 'mmdet', 'mmseg' or 'mmdet3d', not {scope!r}")
