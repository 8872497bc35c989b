"""StreamingCocoMetric against the stock metric with pairs found by hand, and through a runner."""

import json

import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import METRICS, init_default_scope
from mmengine.runner import Runner

from lzu_mm.evaluation import StreamingCocoMetric
from lzu_mm.saliency import TemporalSaliency
from lzu_mm.saliency.estimation.kde import box_saliency

from ..conftest import ROOT

CLASSES = ('car', 'person')
FPS = 10
FRAMES = 6


@pytest.fixture
def videos(tmp_path):
    """Two videos in which two boxes move by 6 pixels a frame; the second starts at frame 3.

    Returns:
        The annotation file, and the frames as (img_id, video_id, frame_id).
    """
    frames = [(i, 0, i) for i in range(FRAMES)] + [(FRAMES + i, 1, 3 + i) for i in range(FRAMES)]
    content = dict(
        images=[dict(id=i, file_name=f'{i}.png', height=200, width=300) for i, *_ in frames],
        annotations=[
            dict(id=1 + 2 * image + label, image_id=image, category_id=label + 1, iscrowd=0,
                 bbox=[x, y, 30, 30], area=900)
            for image, _, number in frames
            for label, x, y in ((0, 20 + 6 * number, 30), (1, 200 - 6 * number, 90))
        ],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)],
    )  # fmt: skip
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(content))
    return str(path), frames


def predictions(number):
    """What is found in a frame: both boxes, a little off, and one that is none."""
    x = 6.0 * number
    boxes = torch.tensor([[21 + x, 30, 50 + x, 61], [200 - x, 88, 230 - x, 120], [5.0, 5, 25, 25]])
    scores = torch.tensor([0.9, 0.8, 0.3 + 0.05 * number])
    return dict(bboxes=boxes, scores=scores, labels=torch.tensor([0, 1, 0]))


def nothing():
    return {key: value[:0] for key, value in predictions(0).items()}


def evaluate(metric, frames, batch_size=1):
    """The values of a metric; frames are (img_id, video_id, frame_id, what is found)."""
    metric.dataset_meta = dict(classes=CLASSES)
    samples = [
        dict(img_id=i, video_id=v, frame_id=n, ori_shape=(200, 300), pred_instances=found)
        for i, v, n, found in frames
    ]
    for start in range(0, len(samples), batch_size):
        metric.process({}, samples[start : start + batch_size])
    values = metric.evaluate(size=len(samples))
    return {key.split('/')[1]: value for key, value in values.items()}


def own(frames):
    return [(*frame, predictions(frame[2])) for frame in frames]


def paired(frames, newest):
    """Each frame with the predictions of another, counted from the first of its video."""
    first = {0: 0, 1: 3}
    return [
        (i, v, n, nothing() if k is None else predictions(first[v] + k))
        for (i, v, n), k in zip(frames, newest * 2)
    ]


def metric(path, **kwargs):
    return METRICS.build(dict(type='lzu_mm.StreamingCocoMetric', ann_file=path, fps=FPS, **kwargs))


def test_without_latency_it_is_the_stock_metric(videos):
    path, frames = videos
    stock = evaluate(CocoMetric(ann_file=path, classwise=True), own(frames))
    assert evaluate(metric(path, latency=0, classwise=True), own(frames)) == stock
    assert 0 < stock['bbox_mAP'] < 1
    assert len(stock) > 6


@pytest.mark.parametrize(
    ('settings', 'newest'),
    [
        (dict(latency=0.05), [None, 0, 1, 2, 3, 4]),
        (dict(latency=0.15), [None, None, 0, 1, 1, 3]),
        (dict(latency=0.25), [None, None, None, 0, 0, 2]),
        (dict(latency=0.05, eta=1), [None, None, 0, 1, 2, 3]),
        (dict(latency=0, eta=0.5), [None, 0, 1, 2, 3, 4]),
        (dict(latency=9), [None] * 6),
    ],
)
@pytest.mark.parametrize('batch_size', [1, 4])
def test_pairs_by_hand(videos, settings, newest, batch_size):
    path, frames = videos
    found = evaluate(metric(path, **settings), own(frames), batch_size)
    assert found == evaluate(CocoMetric(ann_file=path), paired(frames, newest))
    assert found != evaluate(CocoMetric(ann_file=path), own(frames))


def test_latencies_of_a_file(videos, tmp_path):
    path, frames = videos
    # In video 0 the second frame takes until the fifth arrives, which is finished at once.
    latencies = {'0': [0.05, 0.3, 0.2, 0.0, 0.0, 0.5], '1': [0.0] * FRAMES}
    (tmp_path / 'latencies.json').write_text(json.dumps(latencies))
    found = evaluate(metric(path, latency=str(tmp_path / 'latencies.json')), own(frames))
    expected = paired(frames, [None, 0, 0, 0, 4, 4])[:FRAMES] + own(frames)[FRAMES:]
    assert found == evaluate(CocoMetric(ann_file=path), expected)


def test_videos_whose_frames_alternate(videos):
    path, frames = videos
    mixed = [frame for pair in zip(frames[:FRAMES], frames[FRAMES:]) for frame in pair]
    found = evaluate(metric(path, latency=0.15), own(mixed), batch_size=2)
    assert found == evaluate(metric(path, latency=0.15), own(frames))


def test_a_second_epoch_starts_anew(videos):
    path, frames = videos
    built = metric(path, latency=0.15)
    assert evaluate(built, own(frames)) == evaluate(built, own(frames))


def test_masks_follow(videos):
    """Without ground truth masks, the json that is written tells."""
    path, frames = videos
    found = own(frames[:3])
    for number, frame in enumerate(found):
        frame[3]['masks'] = torch.zeros(3, 200, 300, dtype=torch.uint8)
        frame[3]['masks'][:, number] = 1
    prefix = path[: -len('.json')]
    built = metric(path, latency=0.15, metric='segm', format_only=True, outfile_prefix=prefix)
    evaluate(built, found)
    with open(f'{prefix}.segm.json') as file:
        written = json.load(file)
    assert [entry['image_id'] for entry in written] == [2, 2, 2]
    assert all(entry['segmentation']['size'] == [200, 300] for entry in written)


def test_latencies_are_written_once(videos, tmp_path):
    path, frames = videos
    out = tmp_path / 'new' / 'latencies.json'
    built = metric(path, latency=0.15, latency_file=str(out))
    found = evaluate(built, own(frames))
    assert json.loads(out.read_text()) == {'0': [0.15] * FRAMES, '1': [0.15] * FRAMES}
    assert evaluate(metric(path, latency=str(out)), own(frames)) == found
    with pytest.raises(ValueError, match='exists'):
        metric(path, latency=0.15, latency_file=str(out))


def test_what_is_no_video_is_refused(videos):
    path, frames = videos
    for order, message in (
        ([0, 2], 'frame 2 of video 0 follows 0'),
        ([1, 0], 'frame 0 of video 0 follows 1'),
        ([0, 0], 'frame 0 of video 0 follows 0'),
    ):
        with pytest.raises(ValueError, match=f'{message}.*SequenceSampler'):
            evaluate(metric(path, latency=0), own([frames[i] for i in order]))
    for missing in ('video_id', 'frame_id'):
        sample = dict(img_id=0, img_path='a.png', video_id=0, frame_id=0, ori_shape=(200, 300),
                      pred_instances=nothing())  # fmt: skip
        del sample[missing]
        with pytest.raises(ValueError, match=f'a.png has no {missing}'):
            metric(path, latency=0).process({}, [sample])


def test_bad_settings_are_named(videos):
    path, frames = videos
    for settings in (dict(fps=0), dict(latency=-1), dict(eta=-1), dict(seed=0.5)):
        with pytest.raises(ValueError, match=rf'StreamingCocoMetric\.{next(iter(settings))}'):
            StreamingCocoMetric(ann_file=path, **{'fps': 30, **settings})
    with pytest.raises(ValueError, match='as an evaluator of a runner'):
        evaluate(metric(path), own(frames))


@pytest.fixture
def lookout(monkeypatch):
    """Notes the maps of temporal saliency, and the samples that are evaluated."""
    maps, samples = [], []
    forward, process = TemporalSaliency.forward, StreamingCocoMetric.process

    def noted(module, *arguments):
        maps.append(forward(module, *arguments)[0, 0])
        return maps[-1][None, None]

    def kept(metric, batch, predicted):
        samples.extend(predicted)
        process(metric, batch, predicted)

    def seen():
        """For each frame the one whose detections its map was made of; None for the prior."""
        uniform = torch.full((31, 51), 1 / 31 / 51)
        of = [
            box_saliency(sample['pred_instances']['bboxes'], sample['ori_shape'], (31, 51))
            for sample in samples
        ]
        return [
            None if close(found, uniform) else next(i for i, m in enumerate(of) if close(found, m))
            for found in maps[-len(samples) :]
        ]

    def close(one, other):
        return torch.allclose(one, other, rtol=1e-3)

    monkeypatch.setattr(TemporalSaliency, 'forward', noted)
    monkeypatch.setattr(StreamingCocoMetric, 'process', kept)
    seen.maps = maps
    return seen


@pytest.fixture
def street(mini_street, tmp_path, monkeypatch):
    """mini-street's two videos of three frames as one of six."""
    monkeypatch.setenv('MINI_STREET', str(mini_street))
    folder = mini_street / 'argoverse_hd' / 'Argoverse-HD' / 'annotations'
    content = json.loads((folder / 'val.json').read_text())
    for number, image in enumerate(content['images']):
        image['name'] = f'{content["seq_dirs"][image["sid"]]}/{image["name"]}'
        image.update(sid=0, fid=number)
    content['seq_dirs'] = ['']
    (tmp_path / 'val.json').write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def runner(street):
    """Builds a runner that tests an untrained adaptive zoom, which finds something everywhere."""

    def build(*evaluators, **options):
        side = 'lzu-adaptive_retinanet_r18_fpn_mini-street-0.25x.py'
        cfg = Config.fromfile(ROOT / 'configs' / 'retinanet' / side)
        loader = dict(
            num_workers=0, persistent_workers=False, dataset=dict(ann_file=f'{street}/val.json')
        )
        cfg.merge_from_dict({
            'model.data_preprocessor.zoom.saliency.score_thr': 0.0,
            'model.test_cfg': dict(score_thr=0.005, max_per_img=3),
            'test_dataloader': loader,
            'val_dataloader': loader,
            **options,
        })  # fmt: skip
        stock = dict(cfg.test_evaluator, ann_file=f'{street}/val.json')
        cfg.test_evaluator = cfg.val_evaluator = [dict(stock, **each) for each in evaluators]
        cfg.work_dir = str(street)
        cfg.default_hooks.checkpoint = None
        cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
        init_default_scope('mmdet')
        torch.manual_seed(0)
        built = Runner.from_cfg(cfg)
        built.model.init_weights()
        # Untrained, the head hardly looks at the image.
        torch.nn.init.normal_(built.model.bbox_head.retina_cls.weight, std=0.3)
        return built

    return build


def streaming(**settings):
    return dict(type='lzu_mm.StreamingCocoMetric', fps=FPS, **settings)


def test_temporal_saliency_looks_where_it_could_have_looked(runner, lookout):
    built = runner(streaming(latency=0.15), dict())
    for _ in range(2):  # a second pass starts anew
        values = built.val()
        # Frames 0, 1, 3 and 4 are taken up at 0, 0.15, 0.3 and 0.45; 2 and 5 are skipped.
        assert lookout()[-FRAMES:] == [None, 0, 0, 1, 3, 3]
    assert {'coco/bbox_mAP', 'streaming/bbox_mAP'} <= set(values)


def test_without_latency_it_looks_at_the_frame_before(runner, lookout):
    values = runner(streaming(latency=0), dict()).test()
    assert lookout() == [None, 0, 1, 2, 3, 4]
    for name, value in values.items():
        assert values[name.replace('coco/', 'streaming/')] == value


def test_latencies_are_measured_without_the_first_batch(runner, lookout, street, monkeypatch):
    # Of the network alone: the clock stands still but for each look.
    monkeypatch.setattr(
        'lzu_mm.evaluation.streaming_coco.perf_counter', lambda: 0.15 * len(lookout.maps)
    )
    out = street / 'latencies.json'
    runner(dict(), streaming(latency_file=str(out))).test()
    assert lookout() == [None, 0, 0, 1, 3, 3]
    assert json.loads(out.read_text()) == {'0': pytest.approx([0.15] * FRAMES)}
    assert len(lookout.maps) == FRAMES + 1


def test_images_without_videos_are_refused_before_any_is_run(runner, lookout):
    built = runner(
        streaming(latency=0),
        **{'test_dataloader.dataset.pipeline.3.meta_keys': ('img_id', 'img_path', 'ori_shape')},
    )
    with pytest.raises(ValueError, match=r'no video_id and frame_id.*meta_keys of PackDetInputs'):
        built.test()
    assert not lookout.maps


def test_clocks_that_contradict_each_other_are_refused(runner):
    built = runner(streaming(latency=0), streaming(latency=1, prefix='slow'))
    with pytest.raises(ValueError, match='one by one'):
        built.test()


def test_batches_are_not_measured(runner):
    built = runner(
        streaming(),
        **{
            'test_dataloader.batch_size': 2,
            'model.data_preprocessor.zoom.saliency': dict(
                _delete_=True, type='lzu_mm.UniformSaliency'
            ),
        },
    )
    with pytest.raises(ValueError, match='batch_size=1'):
        built.test()
