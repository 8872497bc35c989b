"""Files whose saliency looks at every image, or at the frame before, give what test_step gives."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lzu_mm.deploy import OnnxModel, export_onnx, looking
from lzu_mm.deploy.export import structured_image
from lzu_mm.deploy.tasks import task_of
from lzu_mm.deploy.zooming import zoom_in_graph
from lzu_mm.saliency import BaseSaliency, LearnedSaliency, TemporalSaliency
from lzu_mm.warps import bilinear, piecewise
from lzu_mm.warps.area import AreaWeights, weigh

from .families import small_model

SIZE = (128, 192)
# Two levels of two stages: an export takes as long as its graph.
SMALL = {
    'backbone.num_stages': 2,
    'backbone.strides': (1, 2),
    'backbone.dilations': (1, 1),
    'backbone.out_indices': (0, 1),
    'neck.in_channels': [64, 128],
    'neck.start_level': 0,
    'neck.num_outs': 2,
    'bbox_head.stacked_convs': 1,
    'bbox_head.num_classes': 2,
    'bbox_head.anchor_generator.strides': [4, 8],
}
TEMPORAL = dict(
    type='lzu_mm.TemporalSaliency',
    bandwidth=16,
    score_thr=0.5,
    weight_by_score=True,
    prior=dict(type='lzu_mm.HorizonSaliency', row=0.4),
)
LEARNED = dict(type='lzu_mm.LearnedSaliency', grid_shape=(9, 13), input_size=(48, 80))


def frames(count):
    image = structured_image(SIZE)
    shifts = (np.roll(image, 24 * i, axis=1) for i in range(count))
    return [torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1))) for frame in shifts]


def det_batch(image, video, number, original=SIZE):
    scale = SIZE[1] / original[1], SIZE[0] / original[0]
    metainfo = dict(img_shape=SIZE, ori_shape=original, scale_factor=scale)
    sample = DetDataSample(metainfo=dict(metainfo, img_id=0, video_id=video, frame_id=number))
    return dict(inputs=[image], data_samples=[sample])


def excite_learned(model):
    for module in model.modules():
        if isinstance(module, LearnedSaliency):
            torch.nn.init.normal_(module.head.weight, std=3)


def test_a_file_looks_where_it_found_objects_in_the_frame_before(tmp_path):
    """Of two videos in turns, whose frames are resized; and again after a gap.

    It holds a network that looks as well.
    """
    original = (200, 360)
    saliency = dict(type='lzu_mm.CombinedSaliency', members=[TEMPORAL, LEARNED])
    model = small_model('RetinaNet', dict(scale=0.5, saliency=saliency), **SMALL)
    excite_learned(model)
    path = tmp_path / 'end2end.onnx'
    found = export_onnx(model, path, SIZE, original=original)
    assert found['missing'] == 0 and found['boxes (px)'] < 1e-2
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.load(path).graph.input
    }
    assert shapes == dict(input=[1, 3, *SIZE], previous=[1, 100, 5])

    file, differs = OnnxModel(path), []
    for number, image in zip((0, 1, 2, 9), frames(4)):
        for video, shown in ((7, image), (8, image.flip(-1))):
            with torch.no_grad():
                expected = model.test_step(det_batch(shown, video, number, original))
            got = file.test_step(det_batch(shown, video, number, original))
            expected, got = expected[0].pred_instances, got[0].pred_instances
            assert len(expected) > 20
            for key, tolerance in (('scores', 1e-4), ('bboxes', 1e-2), ('labels', 0)):
                torch.testing.assert_close(got[key], expected[key], atol=tolerance, rtol=0)
            alone = file.run(shown)['dets'][0, : len(got), 4]
            differs.append(float(np.abs(alone - got.scores.numpy()).max()) > 1e-3)
    assert differs == [False, False, True, True, True, True, False, False]

    # Where a clock runs, it sees the newest result that was ready.
    assert file.follows_videos
    for number, newest in enumerate((None, 0, 0)):
        results = []
        for tested in (model, file):
            batch = det_batch(frames(3)[number], 9, number, original)
            batch['data_samples'][0].set_metainfo(dict(newest_result=newest))
            with torch.no_grad():
                results.append(tested.test_step(batch)[0].pred_instances.scores)
        torch.testing.assert_close(*results, atol=1e-4, rtol=0)

    with pytest.raises(ValueError, match=r'originals of \(200, 360\).*--original-size'):
        file.test_step(det_batch(image, 7, 10))


@pytest.mark.parametrize(
    'zoom',
    [
        dict(separable=False),
        dict(separable=False, anti_crop=False),
        dict(method='equalise', antialias=True),
        dict(anti_crop=False),
        dict(labels='warped'),
    ],
    ids=str,
)
def test_every_form_of_the_warp_can_be_in_the_graph(zoom):
    """Run without a trace, which would take long."""
    saliency = dict(type='lzu_mm.CombinedSaliency', members=[TEMPORAL, LEARNED])
    model = small_model('RetinaNet', dict(scale=0.5, saliency=saliency, **zoom), **SMALL)
    excite_learned(model)
    deployed, (first, second) = task_of(model, SIZE), frames(2)
    with torch.no_grad():
        before, expected = deployed.predict(first[None]), deployed.predict(second[None])
        _, previous = deployed.arguments(second[None], before)
        with zoom_in_graph(deployed, second[None], None):
            found = deployed.predict(second[None], previous=previous[0])
    for key, tolerance in (('scores', 1e-4), ('bboxes', 1e-2), ('labels', 0)):
        one, other = found.pred_instances[key], expected.pred_instances[key]
        torch.testing.assert_close(one, other, atol=tolerance, rtol=0)
    assert len(one) > 20


class OddSaliency(BaseSaliency):
    def forward(self, images, samples, training):
        return torch.ones(len(images), 1, 3, 3) * float(images[0].float().mean())


@pytest.mark.parametrize(
    ('saliency', 'message'),
    [
        (OddSaliency, 'OddSaliency looks at every image anew'),
        (dict(type='lzu_mm.HorizonSaliency', pitch=2), 'set saliency.row'),
        (
            dict(
                type='lzu_mm.CombinedSaliency',
                members=[TEMPORAL, dict(type='lzu_mm.TemporalSaliency', max_gap=2)],
            ),
            r'several max_gap \[1, 2\]',
        ),
    ],
)
def test_what_a_trace_would_miss_is_refused(saliency, message, tmp_path):
    config = saliency if isinstance(saliency, dict) else TEMPORAL
    model = small_model('RetinaNet', dict(scale=0.5, saliency=config), excited=False, **SMALL)
    if saliency is OddSaliency:
        model.data_preprocessor.saliency = OddSaliency()
    with pytest.raises(ValueError, match=message):
        export_onnx(model, tmp_path / 'end2end.onnx', SIZE)
    assert not list(tmp_path.iterdir())


def test_the_pixels_of_originals_matter_to_temporal_saliency_alone(tmp_path):
    model = small_model('PSPNet', dict(scale=0.5, saliency=LEARNED), excited=False)
    with pytest.raises(ValueError, match='original is for TemporalSaliency'):
        export_onnx(model, tmp_path / 'end2end.onnx', SIZE, original=(256, 384))
    model = small_model('PSPNet', dict(scale=0.5, saliency=TEMPORAL), excited=False)
    with pytest.raises(ValueError, match='segmentors find none'):
        export_onnx(model, tmp_path / 'end2end.onnx', SIZE)


def test_counting_finds_what_searching_finds(generator):
    values = torch.rand(2, 9, generator=generator).sort().values
    target = torch.cat((torch.rand(2, 40, generator=generator), values[:, 3:5]), dim=1)
    assert torch.equal(looking._segment_of(values, target), piecewise._segment_of(values, target))

    levels = torch.rand(2, 9, 40, generator=generator).sort(dim=1).values
    target = torch.rand(2, 40, generator=generator)
    found = looking._bands_of_points(levels, target)
    assert torch.equal(found, bilinear._bands_of_points(levels, target))

    even = torch.linspace(0.01, 0.99, 30)[None].expand(2, -1)
    for dim in (1, 2):
        levels = torch.rand(2, 9, 9, generator=generator).sort(dim=dim).values
        found = looking._segments_of_axis(levels, even, dim)
        assert torch.equal(found, piecewise.segments_of_axis(levels, even, dim))


def test_means_are_those_of_area_interpolation(generator):
    image = torch.rand(1, 2, 37, 100, generator=generator)
    weights = AreaWeights(looking._means(37, 16), looking._means(100, 33))
    expected = F.interpolate(image, (16, 33), mode='area')
    torch.testing.assert_close(weigh(image, weights), expected)


@pytest.mark.parametrize('found', [0, 3])
@pytest.mark.parametrize('weight_by_score', [False, True])
def test_detections_of_a_fixed_number_look_where_those_found_do(found, weight_by_score, generator):
    settings = dict(TEMPORAL, grid_shape=(9, 13), weight_by_score=weight_by_score)
    settings.pop('type')
    saliency = TemporalSaliency(**settings)
    corners = torch.rand(5, 2, generator=generator) * 60
    rows = torch.cat((corners, corners + 20, torch.tensor([[0.9, 0.8, 0.7, 0.4, 0]]).T), dim=1)
    rows[2, :4] += 1000  # outside
    if found == 0:
        rows[:, 4] = 0
    image, original = torch.zeros(3, *SIZE, dtype=torch.uint8), (200, 360)
    first, second = (det_batch(image, 0, n, original)['data_samples'] for n in (0, 1))
    prior = saliency([image], first, False)
    scale = torch.tensor([SIZE[1] / original[1], SIZE[0] / original[0]] * 2)
    first[0].pred_instances = InstanceData(bboxes=rows[:, :4] / scale, scores=rows[:, 4])
    saliency.remember(first, False)
    expected = saliency([image], second, False)
    second[0].previous = rows
    with looking.static_saliency(saliency):
        static = saliency([image], second, False)
    torch.testing.assert_close(static, expected)
    assert torch.equal(static, prior) == (found == 0)
