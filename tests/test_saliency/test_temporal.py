import copy
import threading
import time
import weakref

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from lzu_mm.saliency import sequences
from lzu_mm.saliency.estimation.kde import box_saliency

from ..models import batch, pair

SIZE = (120, 192)
GRID = (9, 13)
BOX = torch.tensor([[20.0, 30, 60, 50]])
OTHER = torch.tensor([[120.0, 70, 150, 110]])


def temporal(**kwargs):
    kwargs = {'grid_shape': GRID, 'score_thr': 0.5, **kwargs}
    return MODELS.build(dict(type='lzu_mm.TemporalSaliency', **kwargs))


def sample(**metainfo):
    return DetDataSample(metainfo=dict(ori_shape=SIZE, img_shape=SIZE, **metainfo))


def look(module, *samples, training=False):
    images = [torch.zeros(3, *SIZE, dtype=torch.uint8) for _ in samples]
    saliency = module(images, samples, training)
    module.remember(samples, training)
    return saliency


def detect(item, boxes, scores=None):
    scores = torch.ones(len(boxes)) if scores is None else torch.tensor(scores)
    item.pred_instances = InstanceData(bboxes=boxes, scores=scores)


def uniform():
    return torch.full((1, *GRID), 1 / (GRID[0] * GRID[1]))


def test_looks_where_the_previous_frame_found_objects():
    module = temporal()
    first = sample(video_id=3, frame_id=0)
    torch.testing.assert_close(look(module, first)[0], uniform())
    detect(first, torch.cat((BOX, OTHER)), [0.9, 0.1])
    second = look(module, sample(video_id=3, frame_id=1))
    torch.testing.assert_close(second[0, 0], box_saliency(BOX, SIZE, GRID))


def test_boxes_count_in_original_coordinates_whatever_the_pipeline_resized():
    module = temporal()
    halved = dict(img_shape=SIZE, ori_shape=(240, 384), scale_factor=(0.5, 0.5))
    first, second = sample(), sample()
    first.set_metainfo(halved)
    second.set_metainfo(halved)
    look(module, first)
    detect(first, BOX)
    torch.testing.assert_close(look(module, second)[0, 0], box_saliency(BOX, (240, 384), GRID))


def test_scores_weigh():
    module = temporal(weight_by_score=True, score_thr=0.1)
    first = sample()
    look(module, first)
    detect(first, torch.cat((BOX, OTHER)), [0.75, 0.25])
    found = look(module, sample())[0, 0]
    weights = torch.tensor([0.75, 0.25])
    torch.testing.assert_close(
        found, box_saliency(torch.cat((BOX, OTHER)), SIZE, GRID, amplitude=weights)
    )
    alone = box_saliency(BOX, SIZE, GRID)
    assert found[alone > alone.mean()].sum() > 0.5


@pytest.mark.parametrize(
    ('metainfo', 'message'),
    [
        (dict(video_id=3, frame_id=0), None),  # the video starts again
        (dict(video_id=4, frame_id=1), None),  # another video
        (dict(video_id=3, frame_id=7), None),  # a gap
        (dict(video_id=3, frame_id=4), 'frame 4 of video 3 came after 4'),
        (dict(video_id=3, frame_id=2), 'frame 2 of video 3 came after 4'),
        (dict(video_id=3, frame_id=5, ori_shape=(60, 96)), 'the size of the stream changed'),
    ],
)
def test_what_breaks_a_sequence_falls_back_to_the_prior(metainfo, message, recwarn):
    module = temporal()
    last = sample(video_id=3, frame_id=4)
    look(module, last)
    detect(last, BOX)
    item = sample()
    item.set_metainfo(metainfo)
    torch.testing.assert_close(look(module, item)[0], uniform())
    messages = [str(w.message) for w in recwarn if 'TemporalSaliency' in str(w.message)]
    assert len(messages) == (message is not None)
    assert message is None or message in messages[0]


def test_a_stream_that_changes_its_size_and_back_starts_anew_each_time(recwarn):
    module = temporal()
    for ori_shape, img_shape in (((120, 192), (120, 192)), ((60, 96), (60, 96))) * 2:
        item = sample()
        item.set_metainfo(dict(ori_shape=ori_shape, img_shape=img_shape))
        torch.testing.assert_close(look(module, item)[0], uniform())
        detect(item, BOX)
    messages = {str(w.message).split(';')[0] for w in recwarn if 'stream' in str(w.message)}
    change = 'TemporalSaliency: the size of the stream changed from {} to {}'
    assert messages == {
        change.format((120, 192), (60, 96)),
        change.format((60, 96), (120, 192)),
    }


def test_gaps_can_be_allowed():
    module = temporal(max_gap=3)
    first = sample(video_id=0, frame_id=0)
    look(module, first)
    detect(first, BOX)
    found = look(module, sample(video_id=0, frame_id=3))
    torch.testing.assert_close(found[0, 0], box_saliency(BOX, SIZE, GRID))


def test_several_videos_in_one_batch_and_mirrored_views():
    module = temporal()
    flip = dict(flip=True, flip_direction='horizontal')
    frames = [
        sample(video_id=0, frame_id=4),
        sample(video_id=1, frame_id=8),
        sample(video_id=1, frame_id=8, **flip),
    ]
    look(module, *frames)
    for item, boxes in zip(frames, (BOX, OTHER, BOX[:0])):
        detect(item, boxes)
    mirrored, second, first = look(
        module,
        sample(video_id=1, frame_id=9, **flip),
        sample(video_id=1, frame_id=9),
        sample(video_id=0, frame_id=5),
    )
    torch.testing.assert_close(first[0], box_saliency(BOX, SIZE, GRID))
    torch.testing.assert_close(second[0], box_saliency(OTHER, SIZE, GRID))
    torch.testing.assert_close(mirrored, uniform())


def test_frames_without_detections_look_where_the_prior_does(tmp_path):
    prior = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    np.save(tmp_path / 'prior.npy', prior)
    module = temporal(
        grid_shape=(5, 6), prior=dict(type='FixedSaliency', path=str(tmp_path / 'prior.npy'))
    )
    expected = torch.from_numpy(prior / prior.sum())
    for _ in range(50):
        item = sample()
        torch.testing.assert_close(look(module, item)[0, 0], expected)
        detect(item, BOX[:0])


def test_broken_detections_are_left_out():
    module = temporal()
    first = sample()
    look(module, first)
    nan = torch.full((1, 4), float('nan'))
    outside = torch.tensor([[500.0, 500, 600, 600]])
    detect(first, torch.cat((nan, outside, BOX, OTHER)), [0.9, 0.9, 0.9, float('nan')])
    torch.testing.assert_close(look(module, sample())[0, 0], box_saliency(BOX, SIZE, GRID))


@pytest.mark.parametrize('numbers', [(0, 1), (None, None)])
def test_a_frame_that_is_prepared_before_the_last_was_run_is_refused(numbers):
    module = temporal()
    metainfos = [{} if number is None else dict(video_id=3, frame_id=number) for number in numbers]
    first, second = (sample(**metainfo) for metainfo in metainfos)
    look(module, first)
    with pytest.raises(RuntimeError, match=r'before the model has run on frame.*reset\(\)'):
        look(module, second)
    detect(first, BOX)
    torch.testing.assert_close(look(module, second)[0, 0], box_saliency(BOX, SIZE, GRID))


def test_a_frame_that_is_prepared_twice_looks_at_the_same():
    module = temporal()
    first = sample(video_id=3, frame_id=0)
    look(module, first)
    detect(first, BOX)
    for _ in range(2):
        found = look(module, sample(video_id=3, frame_id=1))
        torch.testing.assert_close(found[0, 0], box_saliency(BOX, SIZE, GRID))


def test_frames_that_do_not_look_back_need_not_wait():
    module = temporal()
    for video, frame in ((3, 0), (4, 0), (3, 7), (3, 0)):
        torch.testing.assert_close(
            look(module, sample(video_id=video, frame_id=frame))[0], uniform()
        )


def test_videos_under_way_at_once_are_told_apart():
    module = temporal()
    first = [sample(video_id=video, frame_id=0) for video in range(2)]
    for item in first:
        look(module, item)
    for item, boxes in zip(first, (BOX, OTHER)):
        detect(item, boxes)
    for video, boxes in ((1, OTHER), (0, BOX)):
        found = look(module, sample(video_id=video, frame_id=1))
        torch.testing.assert_close(found[0, 0], box_saliency(boxes, SIZE, GRID))


def slowly(function):
    """The same, but lets another thread go on before it returns."""

    def run(*args):
        result = function(*args)
        time.sleep(0.001)
        return result

    return run


def test_threads_with_videos_of_their_own_share_a_model(monkeypatch):
    monkeypatch.setattr(sequences, '_is_run', slowly(sequences._is_run))
    monkeypatch.setattr(sequences, '_detections', slowly(sequences._detections))
    module, wrong, meeting = temporal(), [], threading.Barrier(4)

    def watch(video):
        last = None
        for frame in range(20):
            boxes = BOX + torch.tensor([video * 10.0 + frame % 2, 0] * 2)
            item = sample(video_id=video, frame_id=frame)
            found = look(module, item)[0]
            wanted = uniform() if last is None else box_saliency(last, SIZE, GRID)[None]
            if not torch.allclose(found, wanted, rtol=0, atol=1e-6):
                wrong.append((video, frame))
            meeting.wait(60)  # all are prepared before one is run
            detect(item, boxes)
            last = boxes

    threads = [threading.Thread(target=watch, args=(video,)) for video in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_samples_are_let_go_once_their_boxes_are_known():
    module = temporal()
    first = sample(video_id=3, frame_id=0)
    look(module, first)
    detect(first, BOX)
    gone = weakref.ref(first)
    del first
    look(module, sample(video_id=4, frame_id=0))
    assert gone() is None


def test_a_model_without_boxes_is_refused():
    module = temporal()
    first = SegDataSample(metainfo=dict(ori_shape=SIZE, img_shape=SIZE))
    look(module, first)
    first.pred_sem_seg = PixelData(data=torch.zeros(1, *SIZE))
    with pytest.raises(ValueError, match='this model predicts none'):
        look(module, sample())


def test_reset_forgets():
    module = temporal()
    first = sample()
    look(module, first)
    detect(first, BOX)
    module.reset()
    torch.testing.assert_close(look(module, sample())[0], uniform())


def labelled(boxes):
    item = sample()
    item.gt_instances = InstanceData(bboxes=boxes)
    return item


def test_ground_truth_is_never_used_at_test():
    module = temporal()
    for _ in range(2):
        item = labelled(BOX)
        torch.testing.assert_close(look(module, item)[0], uniform())
        detect(item, OTHER[:0])


def test_training_looks_at_the_frames_own_objects():
    found = look(temporal(jitter=0, drop_prob=0), labelled(BOX), training=True)
    torch.testing.assert_close(found[0, 0], box_saliency(BOX, SIZE, GRID))


def test_training_remembers_nothing():
    module = temporal()
    item = labelled(BOX)
    look(module, item, training=True)
    detect(item, BOX)
    torch.testing.assert_close(look(module, sample())[0], uniform())


def test_jitter_is_uniform_within_its_reach():
    module = temporal(jitter=25, drop_prob=0)
    shifts = module._disturb(BOX.expand(20000, 4))[:, :2] - BOX[:, :2]
    assert shifts.abs().max() <= 25
    assert shifts.abs().max() > 24.9
    # Of a uniform distribution, the standard deviation is the reach over √3.
    assert shifts.std() == pytest.approx(25 / 3**0.5, rel=0.02)
    assert shifts.mean() == pytest.approx(0, abs=0.3)


def test_boxes_are_dropped_with_their_probability():
    kept = temporal(drop_prob=0.3)._disturb(BOX.expand(20000, 4))
    assert len(kept) / 20000 == pytest.approx(0.7, abs=0.02)


def test_the_stock_detector_feeds_it_through_test_step():
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.TemporalSaliency', score_thr=0.0))
    _, model = pair('retinanet', zoom)
    data = batch('retinanet', [SIZE])
    data['data_samples'][0].set_metainfo(dict(video_id=0, frame_id=0))
    warps = []
    for frame in range(3):
        item = copy.deepcopy(data)
        item['data_samples'][0].set_metainfo(dict(frame_id=frame))
        results = model.test_step(item)
        warps.append(model.neck.link.batch.warp.knots_x[0])
    nodes = torch.linspace(0, 1, len(warps[0]))
    torch.testing.assert_close(warps[0], nodes)
    boxes = results[0].pred_instances.bboxes
    assert (warps[1] - nodes).abs().max() > 1e-3
    assert len(boxes) > 0


def test_learned_kde_is_foveas_and_learns():
    module = MODELS.build(dict(type='lzu_mm.LearnedKDE', grid_shape=GRID, jitter=0, drop_prob=0))
    found = look(module, labelled(BOX), training=True)
    torch.testing.assert_close(found[0, 0], box_saliency(BOX, SIZE, GRID, 64.1, 1.1))
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.LearnedKDE'))
    _, model = pair_without_strict('retinanet', zoom)
    data = batch('retinanet', [SIZE, SIZE])
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    for name in ('theta_bandwidth', 'theta_amplitude'):
        gradient = getattr(model.data_preprocessor.saliency, name).grad
        assert gradient.isfinite()
        assert gradient != 0


def pair_without_strict(family, zoom):
    from ..models import STOCK, build, stock_config, zoomed_config

    config = stock_config(family)
    model = build(dict(zoomed_config(config, family, zoom), _scope_=STOCK[family][0]))
    return None, model


@pytest.mark.parametrize('setting', [dict(drop_prob=1.5), dict(jitter=-1)])
def test_bad_settings_are_named(setting):
    with pytest.raises(ValueError, match=rf'saliency\.{next(iter(setting))}'):
        temporal(**setting)


def test_a_copied_model_has_a_memory_of_its_own():
    module = temporal()
    first = sample()
    look(module, first)
    detect(first, BOX)
    torch.testing.assert_close(look(copy.deepcopy(module), sample())[0], uniform())
