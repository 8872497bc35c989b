"""The trial of a zoomed model: it predicts and takes a loss, and blames the right side."""

import re

import pytest
from mmdet.models import RetinaNet
from mmengine.config import Config
from mmengine.registry import MODELS

from lzu_mm.zoomify import settings_of, try_model, zoom_config

RETINANET = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
ZOOM = dict(scale=0.5, saliency=dict(type='lzu_mm.HorizonSaliency', row=0.3))


class ZoomHater(RetinaNet):
    """Runs as stock alone."""

    hates = ''

    def _check(self):
        if hasattr(self.data_preprocessor, 'zoom'):
            raise RuntimeError('I hate zooms')


@MODELS.register_module(force=True)
class NoLoss(ZoomHater):
    def loss(self, *args):
        self._check()
        return super().loss(*args)


@MODELS.register_module(force=True)
class NoPrediction(ZoomHater):
    def predict(self, *args, **kwargs):
        self._check()
        return super().predict(*args, **kwargs)


def tried(source, zoom=ZOOM):
    stock = Config.fromstring(source, '.py')
    zoomed = zoom_config(settings_of(stock), zoom)
    return try_model(Config(zoomed.config), zoom, stock)


@pytest.mark.parametrize(('kind', 'what'), [('NoLoss', 'loss'), ('NoPrediction', 'predict')])
def test_the_model_has_to_predict_and_to_take_a_loss(kind, what):
    source = f"_base_ = {RETINANET!r}\nmodel = dict(type='mmengine.{kind}')"
    with pytest.raises(ValueError, match=rf'\({what}\): RuntimeError: I hate zooms'):
        tried(source)


@pytest.mark.parametrize(
    'base',
    [
        'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
        'mmdet::panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py',
        'mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
        'mmdet3d::smoke/smoke_dla34_dlaneck_gn-all_4xb8-6x_kitti-mono3d.py',
        'mmseg::swin/swin-tiny-patch4-window7_upernet_1xb8-20k_levir-256x256.py',
    ],
)
def test_labels_of_all_kinds_are_there(base):
    assert tried(f'_base_ = {base!r}') == []


def test_what_the_stock_model_cannot_do_either_is_said():
    # Its prediction needs the border that its pipeline notes.
    base = "_base_ = 'mmdet::centernet/centernet_r18_8xb16-crop512-140e_coco.py'"
    untried = tried(base, dict(scale=0.5, saliency=dict(type='lzu_mm.LearnedSaliency')))
    assert untried == ["predict (KeyError: 'border')"]


def test_a_backward_pass_that_would_end_the_process_is_spared():
    untried = tried("_base_ = 'mmdet::detectors/cascade-rcnn_r50-sac_1x_coco.py'")
    assert untried == ["loss (RuntimeError: mmcv's SAConv2d crashes in its backward pass on a CPU)"]


BEIT = """
_base_ = 'mmseg::beit/beit-base_upernet_8xb2-160k_ade20k-640x640.py'
model = dict(backbone=dict(img_size=(96, 64), num_layers=4, out_indices=(0, 1, 2, 3)))
"""


def test_backbones_of_one_size_need_it():
    with pytest.raises(ValueError, match=re.escape('--size 96 64')):
        tried(BEIT)
    assert tried(BEIT, dict(size=(96, 64), saliency=ZOOM['saliency'])) == []


@pytest.mark.parametrize(
    'base',
    [
        'fcaf3d/fcaf3d_2xb8_s3dis-3d-5class.py',
        'imvotenet/imvotenet_stage2_8xb16_sunrgbd-3d.py',
        'centerpoint/centerpoint_voxel01_second_secfpn_8xb4-cyclic-20e_nus-3d.py',
    ],
)
def test_models_without_features_of_one_image_are_refused(base):
    with pytest.raises(ValueError, match=r'point clouds.*take a monocular'):
        tried(f"_base_ = 'mmdet3d::{base}'")
