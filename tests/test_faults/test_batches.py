"""Batches of one model that are under way at once are not mixed up."""

import threading

import pytest
import torch
from torch import nn

from lzu_mm.data_preprocessors import ZoomDetDataPreprocessor
from lzu_mm.necks import UnzoomNeck


class Shifting(nn.Module):
    """A backbone that makes one level of an image."""

    def forward(self, image):
        return (nn.functional.avg_pool2d(image, 4),)


def parts():
    torch.manual_seed(0)
    preprocessor = ZoomDetDataPreprocessor(
        zoom=dict(scale=0.5, saliency=dict(type='LearnedSaliency', grid_shape=(8, 8)))
    )
    with torch.no_grad():
        for weight in preprocessor.parameters():
            weight.add_(torch.randn_like(weight))
    backbone, neck = Shifting(), UnzoomNeck(link=preprocessor.link)
    preprocessor.link.follow(backbone)
    return preprocessor.eval(), backbone, neck


def batch(seed):
    image = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(seed)) * 255
    image[:, :48, : 16 * (seed % 5 + 1)] = 0  # each looks elsewhere
    return dict(inputs=[image], data_samples=None)


def features(preprocessor, backbone, neck, seed):
    zoomed = preprocessor(batch(seed))['inputs']
    return neck(backbone(zoomed))[0].detach()


def test_a_batch_that_is_prepared_before_another_is_run():
    preprocessor, backbone, neck = parts()
    expected = [features(preprocessor, backbone, neck, seed) for seed in (0, 3)]
    assert (expected[0] - expected[1]).abs().max() > 1
    first, second = (preprocessor(batch(seed))['inputs'] for seed in (0, 3))
    for image, wanted in ((first, expected[0]), (second, expected[1]), (first, expected[0])):
        torch.testing.assert_close(neck(backbone(image))[0].detach(), wanted, rtol=0, atol=0)


def test_features_of_images_that_nobody_zoomed_are_refused():
    preprocessor, backbone, neck = parts()
    features(preprocessor, backbone, neck, 0)
    with pytest.raises(RuntimeError, match='has not handed out'):
        neck(backbone(torch.rand(1, 3, 64, 64)))


def test_threads_share_a_model():
    preprocessor, backbone, neck = parts()
    expected = [features(preprocessor, backbone, neck, seed) for seed in range(4)]
    wrong, meeting = [], threading.Barrier(4)

    def work(seed):
        try:
            for _ in range(25):
                zoomed = preprocessor(batch(seed))['inputs']
                meeting.wait(60)  # all have zoomed before one unzooms
                found = neck(backbone(zoomed))[0].detach()
                if not torch.allclose(found, expected[seed], rtol=0, atol=1e-3):
                    wrong.append((seed, (found - expected[seed]).abs().max()))
        except Exception as error:
            wrong.append((seed, error))
            meeting.abort()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
