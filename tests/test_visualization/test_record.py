"""What is noted of a zoom."""

import numpy as np
import torch
from mmengine.registry import MODELS

from lzu_mm.visualization.record import ZoomRecorder

from ..models import UNIFORM, batch


def noted(saliency, flips):
    """The saliency noted of the first image of each batch."""
    module = MODELS.build(
        dict(type='lzu_mm.ZoomDetDataPreprocessor', zoom=dict(scale=0.5, saliency=saliency))
    )
    maps = []
    with ZoomRecorder(module) as recorder:
        for flip in flips:
            data = batch('retinanet', [(60, 90)] * len(flip))
            for sample, flipped in zip(data['data_samples'], flip):
                sample.set_metainfo(dict(flip=flipped, flip_direction='horizontal'))
            module(data)
            maps.append(recorder.record.saliency)
    return maps


def test_the_saliency_of_each_batch_is_noted(tmp_path):
    saliency = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    saliency /= saliency.sum()
    np.save(tmp_path / 'map.npy', saliency)
    fixed = dict(type='lzu_mm.FixedSaliency', path=str(tmp_path / 'map.npy'))
    flips = [(False,), (True,), (True, False), (False, False)]
    expected = torch.from_numpy(saliency)
    for map_, flip in zip(noted(fixed, flips), flips):
        torch.testing.assert_close(map_, expected.flip(-1) if flip[0] else expected)
    assert (noted(UNIFORM, [(False,)])[0] == 1).all()
