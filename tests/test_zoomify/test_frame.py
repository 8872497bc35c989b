import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lzu_mm.zoomify.frame import follow_frame


def stock(path):
    config = Config.fromstring(f"_base_ = ['{path}']", '.py')
    init_default_scope(config.default_scope)
    return config.model.to_dict()


@pytest.fixture(autouse=True)
def _scope():
    yield
    init_default_scope('mmengine')


def test_anchors_follow_by_their_strides():
    model = stock('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    assert follow_frame(model, (2, 2), 'mmdet') == ['bbox_head']
    generator = model['bbox_head']['anchor_generator']
    assert generator['strides'] == [4, 8, 16, 32, 64]
    assert generator['octave_base_scale'] == 4


def test_defaults_of_the_class_are_written_out():
    model = stock('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py')
    model['bbox_head'].pop('strides', None)
    follow_frame(model, (2, 1), 'mmdet')
    assert model['bbox_head']['strides'] == [(8, 4), (16, 8), (32, 16)]


def test_ranges_in_pixels_shrink_too():
    model = stock('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py')
    follow_frame(model, (2, 2), 'mmdet')
    assert model['bbox_head']['strides'] == [4, 8, 16, 32, 64]
    ranges = model['bbox_head']['regress_ranges']
    assert ranges == ((-1, 32), (32, 64), (64, 128), (128, 256), (256, 1e8))
    with pytest.raises(ValueError, match='one factor'):
        follow_frame(stock('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'), (2, 1), 'mmdet')


def test_mono_3d_follows():
    model = stock('mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py')
    follow_frame(model, (2, 2), 'mmdet3d')
    head = model['bbox_head']
    assert head['strides'] == [4, 8, 16, 32, 64]
    assert head['regress_ranges'][:2] == ((-1, 24), (24, 48))


def test_heads_without_strides_stay_and_region_heads_are_refused():
    model = stock('mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py')
    before = dict(model['bbox_head'])
    assert follow_frame(model, (2, 2), 'mmdet') == []
    assert model['bbox_head'] == before
    with pytest.raises(ValueError, match='dense heads'):
        follow_frame(stock('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'), (2, 2), 'mmdet')
