"""Finer frames on stock detectors: strides are checked, boxes come out where they were."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from lzu_mm.necks.frame import frame_of
from lzu_mm.zoomify.frame import follow_frame

UNIFORM = dict(type='lzu_mm.UniformSaliency')


def zoomed(path, frame, follow=True, **zoom):
    config = Config.fromstring(f"_base_ = ['{path}']", '.py')
    model = config.model
    model.backbone.init_cfg = None
    library = 'Det3D' if 'mono3d' in path else 'Det'
    model.data_preprocessor.type = f'lzu_mm.Zoom{library}DataPreprocessor'
    model.data_preprocessor.zoom = {'scale': 0.5, 'saliency': UNIFORM, **zoom}
    model.neck = dict(
        model.neck, type='lzu_mm.UnzoomNeck', inner=model.neck.type, frame=frame, antialias=True
    )
    model = model.to_dict()
    if follow:
        follow_frame(model, frame_of(frame), config.default_scope)
    return MODELS.build(dict(model, _scope_=config.default_scope))


STOCK = [
    ('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', (2, 1)),
    ('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 2),
    ('mmdet::atss/atss_r50_fpn_1x_coco.py', 2),
    ('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', (2, 1)),
    ('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 2),
]


@pytest.mark.parametrize(('path', 'frame'), STOCK, ids=[p.split('/')[1] for p, _ in STOCK])
def test_heads_see_the_cells_of_the_frame(path, frame):
    with pytest.raises(ValueError, match=r'bbox_head works at'):
        zoomed(path, frame, follow=False)
    model = zoomed(path, frame).eval()
    image = torch.randint(0, 255, (3, 256, 384), dtype=torch.uint8)
    inputs = model.data_preprocessor(dict(inputs=[image], data_samples=None))['inputs']
    with torch.no_grad():
        levels = model.extract_feat(inputs)
        shapes = [level.shape[2:] for level in levels]
        priors = model.bbox_head.prior_generator.grid_priors(shapes, device='cpu')
    h, w = inputs.shape[2:]
    for (x, y), feature, prior in zip(model.bbox_head.prior_generator.strides, levels, priors):
        assert (feature.shape[2] - 2) * y < h <= feature.shape[2] * y
        assert (feature.shape[3] - 2) * x < w <= feature.shape[3] * x
        cells = feature.shape[2] * feature.shape[3]
        assert len(prior) % cells == 0
        # Centres of boxes or points, in cells: those of the frame, from the first to the last.
        centres = (prior[:, :2] + prior[:, -2:]) / 2 if prior.shape[1] == 4 else prior[:, :2]
        start_x, start_y = centres[0].tolist()
        assert centres.amax(dim=0).tolist() == pytest.approx(
            [(feature.shape[3] - 1) * x + start_x, (feature.shape[2] - 1) * y + start_y]
        )


def test_region_heads_are_refused_when_built():
    with pytest.raises(ValueError, match='rpn_head works at'):
        zoomed('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 2, follow=False)


@pytest.mark.parametrize('frame', [0, -1, 9, (1, 2, 3), 'fine', (2, 'x')])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(ValueError, match=r'UnzoomNeck\.frame'):
        frame_of(frame)


def test_the_trial_of_strides_leaves_the_model_as_it_is():
    torch.manual_seed(0)
    model = zoomed('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', 2)
    assert model.backbone.training
    assert all(
        buffer.sum() == 0 for name, buffer in model.backbone.named_buffers() if 'mean' in name
    )
