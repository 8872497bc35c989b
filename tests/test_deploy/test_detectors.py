"""Files of detectors that are not dense: with queries, and with two stages."""

import sys
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import inverse_sigmoid, multiclass_nms
from mmdet.models.roi_heads import SingleRoIExtractor
from mmdet.structures import DetDataSample
from torch import nn

from lzu_mm.deploy import OnnxModel, nms, regions
from lzu_mm.deploy.regions import static_extractor, static_multiclass_nms
from lzu_mm.deploy.rewrites import attribute, replaced
from lzu_mm.deploy.tasks import task_of
from lzu_mm.deploy.transformers import (
    static_attention,
    static_inverse_sigmoid,
    static_transformer,
)

from .families import SIZE, check_file, excite, other_image, shapes, small_model

# Two stages and few layers: an export takes as long as its graph.
STAGES = {
    'backbone.depth': 18,
    'backbone.num_stages': 2,
    'backbone.strides': (1, 2),
    'backbone.dilations': (1, 1),
    'backbone.out_indices': (0, 1),
    'neck.in_channels': [64, 128],
}
QUERIES = {
    **STAGES,
    'encoder.num_layers': 1,
    'decoder.num_layers': 1,
    'num_queries': 40,
    'test_cfg.max_per_img': 30,
    'bbox_head.num_classes': 5,
}
ONE_LEVEL = {
    **QUERIES,
    'backbone.num_stages': 1,
    'backbone.strides': (1,),
    'backbone.dilations': (1,),
    'backbone.out_indices': (0,),
    'neck.in_channels': [64],
}
LEVELS = {
    **QUERIES,
    'neck.num_outs': 2,
    'num_feature_levels': 2,
    'encoder.layer_cfg.self_attn_cfg.num_levels': 2,
    'decoder.layer_cfg.cross_attn_cfg.num_levels': 2,
}
PROPOSALS = {
    **STAGES,
    'neck.num_outs': 3,
    'rpn_head.anchor_generator.strides': [4, 8, 16],
    'roi_head.bbox_roi_extractor.featmap_strides': [4, 8],
    'test_cfg.rpn.max_per_img': 100,
    'test_cfg.rcnn.max_per_img': 30,
}
ONE_STAGE = {'roi_head.bbox_head.num_classes': 5, 'roi_head.bbox_head.fc_out_channels': 64}
MASKS = {
    'roi_head.mask_roi_extractor.featmap_strides': [4, 8],
    'roi_head.mask_head.num_classes': 5,
    'roi_head.mask_head.num_convs': 1,
}
SMALL = {
    'DETR': ONE_LEVEL,
    'Conditional DETR': ONE_LEVEL,
    'DAB-DETR': ONE_LEVEL,
    'Deformable DETR': LEVELS,
    'DINO': {**LEVELS, 'decoder.num_layers': 2},
    'Faster R-CNN': {**PROPOSALS, **ONE_STAGE},
    'Mask R-CNN': {**PROPOSALS, **ONE_STAGE, **MASKS},
    'Cascade R-CNN': {
        **PROPOSALS,
        **{
            f'roi_head.bbox_head.{stage}.{name}': value
            for stage in range(3)
            for name, value in (('num_classes', 5), ('fc_out_channels', 64))
        },
    },
}


@pytest.fixture(scope='module')
def zoom(saliency):
    return dict(scale=0.5, saliency=saliency)


@pytest.mark.parametrize('family', [family for family in SMALL if 'Mask' not in family])
def test_a_file_gives_what_test_step_gives(family, zoom, tmp_path):
    model = small_model(family, zoom, excited=False, **SMALL[family])
    # Scores of untrained queries have their level from the image, and hardly differ: what spreads
    # them does the same to rounding.
    excite(model, other_image())
    _, _, graph = check_file(model, tmp_path, share=0.3)
    assert shapes(graph.input) == dict(input=[1, 3, *SIZE])
    assert shapes(graph.output) == dict(dets=[1, 30, 5], labels=[1, 30])


def test_masks_are_laid_into_the_original(zoom, tmp_path):
    """A file gives what lies in the boxes; in place of the model, it gives the model's masks."""
    model = small_model('Mask R-CNN', zoom, **SMALL['Mask R-CNN'])
    _, outputs, graph = check_file(model, tmp_path)
    assert shapes(graph.output) == dict(dets=[1, 30, 5], labels=[1, 30], masks=[1, 30, 28, 28])
    assert outputs['masks'].min() >= 0 and 0.5 < outputs['masks'].max() <= 1

    def batch():
        metainfo = dict(img_shape=SIZE, ori_shape=(256, 240), scale_factor=(0.8, 0.5), img_id=0)
        image = torch.from_numpy(np.ascontiguousarray(other_image().transpose(2, 0, 1)))
        return dict(inputs=[image], data_samples=[DetDataSample(metainfo=metainfo)])

    file = OnnxModel(tmp_path / 'end2end.onnx')
    assert file.metadata['task'] == 'segment' and file.metadata['mask_thr_binary'] == '0.5'
    found = file.test_step(batch())[0].pred_instances
    with torch.no_grad():
        expected = model.test_step(batch())[0].pred_instances
    assert len(expected) > 20
    for key in ('bboxes', 'scores', 'labels'):
        torch.testing.assert_close(found[key], expected[key], atol=1e-3, rtol=0)
    assert found.masks.shape == expected.masks.shape == (len(expected), 256, 240)
    other = found.masks != expected.masks
    assert expected.masks.sum() > 1000 and other.sum() <= 1e-4 * expected.masks.sum()
    # No detection, no mask.
    file.run = lambda *_: {**outputs, 'labels': np.full((1, 30), -1)}
    assert file.test_step(batch())[0].pred_instances.masks.shape == (0, 256, 240)


class Parts(nn.Module):
    """What stock detectors call, of regions and boxes that come as a file's inputs."""

    def __init__(self, *extractors):
        super().__init__()
        self.extractors = nn.ModuleList(extractors)

    def forward(self, *inputs):
        *others, is_proposed = inputs
        with replaced(multiclass_nms, partial(static_multiclass_nms, is_proposed, 20)):
            regions, suppressed = self.stock(*others)
            return *regions, *(value for pair in suppressed for value in pair)

    def stock(self, levels, rois, boxes, scores):
        suppress = sys.modules['mmdet.models.roi_heads.bbox_heads.bbox_head'].multiclass_nms
        factors = (None, 1.3)
        regions = [part(levels, rois, factor) for part, factor in zip(self.extractors, factors)]
        cases = ((boxes, False), (boxes[:, :4], False), (boxes, True))
        cfg = dict(type='nms', iou_threshold=0.5)
        return regions, [
            suppress(each, scores, 0.1, dict(cfg, class_agnostic=agnostic), 20)
            for each, agnostic in cases
        ]


def test_static_forms_agree_with_stock_functions(generator, tmp_path):
    """Whatever level regions belong to, with boxes of each class and without."""
    layer = dict(type='RoIAlign', output_size=(3, 2))
    layers = dict(layer, sampling_ratio=2), dict(layer, sampling_ratio=0, aligned=False)
    parts = Parts(*(SingleRoIExtractor(each, 4, [4, 8, 16], finest_scale=20) for each in layers))
    corner, side = (torch.rand(50, 2, generator=generator) * 100 for _ in range(2))
    rois = torch.cat((torch.zeros(50, 1), corner, corner + side.clamp(max=70) + 1), dim=1)
    # None belongs to the highest level.
    assert parts.extractors[0].map_roi_levels(rois, 3).unique().tolist() == [0, 1]
    levels = [torch.rand(1, 4, 96 >> i, 64 >> i, generator=generator) for i in range(3)]
    boxes = rois[:, 1:].repeat(1, 3) + torch.rand(50, 12, generator=generator) * 8
    scores = torch.rand(50, 4, generator=generator) * (torch.arange(50) < 14)[:, None]
    is_proposed = torch.arange(50) != 3
    inputs = (levels, rois, boxes, scores, is_proposed)

    with torch.no_grad():
        kept = torch.where(is_proposed[:, None], scores, 0.0)
        aligned, suppressed = parts.stock(levels, rois, boxes, kept)
        with attribute(SingleRoIExtractor, 'forward', static_extractor):
            program = torch.onnx.export(
                torch.export.export(parts, inputs, strict=False),
                dynamo=True,
                custom_translation_table={**nms.translations(), **regions.translations()},
            )
    program.save(str(tmp_path / 'parts.onnx'))
    session = onnxruntime.InferenceSession(str(tmp_path / 'parts.onnx'))
    names = [node.name for node in session.get_inputs()]
    given = zip(names, (*levels, *inputs[1:]))
    found = session.run(None, {name: value.numpy() for name, value in given})
    for one, other in zip(found, aligned):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for one, labels, (dets, stock_labels) in zip(found[2::2], found[3::2], suppressed):
        count = len(dets)
        assert one.shape == (20, 5) and 3 < count <= 20
        np.testing.assert_allclose(one[:count], dets, atol=1e-5)
        assert (labels[:count] == stock_labels.numpy()).all()
        assert (one[count:, 4] == 0).all()


@pytest.mark.parametrize('columns', [2, 4])
def test_static_attention_agrees_with_the_stock_one(columns, generator):
    attention = MultiScaleDeformableAttention(
        embed_dims=16,
        num_heads=2,
        num_levels=2,
        num_points=3,
        dropout=0.0,
        batch_first=columns == 4,
    )
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    sizes = [(5, 7), (3, 4)]
    query, position = (torch.rand(1, 6, 16, generator=generator) for _ in range(2))
    value = torch.rand(1, 47, 16, generator=generator)
    if not attention.batch_first:
        query, position, value = (each.transpose(0, 1) for each in (query, position, value))
    given = dict(
        query=query,
        value=value,
        query_pos=position,
        key_padding_mask=torch.arange(47)[None] > 40,
        reference_points=torch.rand(1, 6, 2, columns, generator=generator),
    )
    expected = attention(spatial_shapes=torch.tensor(sizes), **given)
    found = static_attention(attention, spatial_shapes=sizes, **given)
    torch.testing.assert_close(found, expected)
    x = torch.tensor([-1, 0, 1e-6, 0.3, 0.9999999, 1, 2])
    assert torch.equal(static_inverse_sigmoid(x), inverse_sigmoid(x))


@pytest.mark.parametrize(
    ('family', 'changes', 'message'),
    [
        ('DDQ DETR', {}, 'DDQDETR cannot be exported: of detectors with queries only DETR, '),
        ('Panoptic FPN', {}, 'PanopticFPN cannot be exported: it predicts in another way'),
        ('Double-Head R-CNN', {}, 'roi_head is DoubleHeadRoIHead, and only CascadeRoIHead and'),
        ('Faster R-CNN', {'test_cfg.rcnn.nms.type': 'soft_nms'}, "test_cfg.rcnn.nms=.*'soft_nms'"),
        ('Faster R-CNN', {'test_cfg.rpn.nms.max_num': 5}, "test_cfg.rpn.nms=.*'max_num': 5"),
        (
            'Faster R-CNN',
            {'roi_head.bbox_roi_extractor.roi_layer.pool_mode': 'max'},
            "set pool_mode='avg'",
        ),
        ('Mask R-CNN', {'data_preprocessor.zoom.labels': 'warped'}, "set zoom.labels='resized'"),
    ],
)
def test_what_cannot_be_exported_is_refused(family, changes, message, zoom):
    small = SMALL.get(family, {})
    model = small_model(family, zoom, excited=False, **small, **changes)
    with pytest.raises(ValueError, match=message):
        task_of(model, SIZE)


def test_rewrites_are_undone_whatever_happens():
    model = small_model('Faster R-CNN', excited=False, **SMALL['Faster R-CNN'])
    module = sys.modules['mmdet.models.roi_heads.bbox_heads.bbox_head']
    before = SingleRoIExtractor.forward, module.multiclass_nms, torch._shape_as_tensor
    cfg = model.rpn_head.test_cfg

    def fail():
        with task_of(model, SIZE).static(), static_transformer():
            assert SingleRoIExtractor.forward is not before[0]
            assert 'predict' in vars(model.roi_head)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (SingleRoIExtractor.forward, module.multiclass_nms, torch._shape_as_tensor) == before
    assert 'predict' not in vars(model.roi_head) and model.rpn_head.test_cfg is cfg
