"""A detector before a video: by hand, and against a clock that ticks in fractions."""

import json
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from lzu_mm.evaluation.stream import Stream, latency_source


def run(latencies, fps):
    """Frames that are taken up, what each frame has to go by, and what the detector saw."""
    stream, taken, seen = Stream(fps), [], []
    for index, latency in enumerate(latencies):
        if stream.arrive():
            taken.append(index)
            stream.finish(latency)
        seen.append(stream.seen())
    return taken, [stream.newest(index / fps) for index in range(len(latencies))], seen


@pytest.mark.parametrize(
    ('latency', 'taken', 'newest', 'seen'),
    [
        # In frames: it finishes at once; half a frame later; as the next one arrives; at 1.5, 3,
        # 4.5 and 6; at 2.5, 5 and 7.5.
        (0, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [None, 0, 1, 2, 3, 4]),
        (0.5, [0, 1, 2, 3, 4, 5], [None, 0, 1, 2, 3, 4], [None, 0, 1, 2, 3, 4]),
        (1, [0, 1, 2, 3, 4, 5], [None, 0, 1, 2, 3, 4], [None, 0, 1, 2, 3, 4]),
        (1.5, [0, 1, 3, 4], [None, None, 0, 1, 1, 3], [None, 0, 0, 1, 3, 3]),
        (2.5, [0, 2, 5], [None, None, None, 0, 0, 2], [None, None, 0, 0, 0, 2]),
        (9, [0], [None] * 6, [None] * 6),
    ],
)
@pytest.mark.parametrize('fps', [10, 30, 29.97, 60, 7])
def test_by_hand(latency, taken, newest, seen, fps):
    assert run([latency / fps] * 6, fps) == (taken, newest, seen)


def test_latencies_that_change():
    # Finished at 0.5, 4 (as frame 4 arrives) and 4.1.
    taken, newest, _ = run([0.05, 0.3, 0, 0, 0.01, 0], fps=10)
    assert taken == [0, 1, 4, 5]
    assert newest == [None, 0, 0, 0, 1, 5]


def test_eta_asks_for_earlier_results():
    stream = Stream(10)
    for _ in range(4):
        stream.arrive()
        stream.finish(0.1)
    assert [stream.newest((i - 0.5) / 10) for i in range(4)] == [None, None, 0, 1]
    assert [stream.newest((i - 1) / 10) for i in range(4)] == [None, None, 0, 1]
    assert [stream.newest((i - 1.5) / 10) for i in range(4)] == [None, None, None, 0]


@pytest.mark.parametrize('seed', range(20))
def test_a_clock_in_fractions(seed):
    rng = np.random.default_rng(seed)
    fps, count = int(rng.choice([10, 24, 30, 60])), 60
    # Many finish just as a frame arrives.
    latencies = [Fraction(int(n), 4 * fps) for n in rng.integers(0, 16, count)]
    time, last, runs = Fraction(0), -1, []
    while True:
        frame = max(floor(time * fps), last + 1)
        if frame >= count:
            break
        time = max(time, Fraction(frame, fps)) + latencies[frame]
        runs.append((time, frame))
        last = frame
    newest = [
        max((frame for time, frame in runs if time <= Fraction(i, fps)), default=None)
        for i in range(count)
    ]
    taken, found, _ = run([float(latency) for latency in latencies], fps)
    assert taken == [frame for _, frame in runs]
    assert found == newest


def test_sources(tmp_path):
    assert latency_source('measured', 0, 'latency') is None
    assert latency_source(0.04, 0, 'latency')('a', 7) == 0.04

    path = tmp_path / 'frames.json'
    path.write_text(json.dumps({'3': [0.01, 0.02], 'a': [0.03]}))
    source = latency_source(str(path), 0, 'latency')
    assert [source(3, 0), source(3, 1), source('a', 0)] == [0.01, 0.02, 0.03]
    for video, index in ((3, 2), (4, 0)):
        with pytest.raises(ValueError, match='the data set has more'):
            source(video, index)


def test_a_distribution_is_drawn_alike_in_any_order(tmp_path):
    path = tmp_path / 'samples.json'
    path.write_text(json.dumps([0.01] * 3 + [0.05]))
    source, again = (latency_source(str(path), 0, 'latency') for _ in range(2))
    frames = [(video, index) for video in (0, 1) for index in range(2000)]
    drawn = {frame: source(*frame) for frame in frames}
    assert drawn == {frame: again(*frame) for frame in reversed(frames)}
    assert np.mean([value == 0.05 for value in drawn.values()]) == pytest.approx(0.25, abs=0.03)
    other = latency_source(str(path), 1, 'latency')
    assert any(drawn[frame] != other(*frame) for frame in frames)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'there is no file'),
        ('no json', 'is no JSON'),
        ('{}', 'must hold a list'),
        ('[]', 'must hold a list'),
        ('{"0": 0.1}', 'must hold a list'),
        ('[0.1, -1]', 'each entry'),
        ('[0.1, "0.1"]', 'each entry'),
    ],
)
def test_bad_files_are_named(content, message, tmp_path):
    path = tmp_path / 'latency.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=message):
        latency_source(str(path), 0, 'latency')


@pytest.mark.parametrize('latency', [-0.1, float('nan'), True, 'fast', None, [0.1]])
def test_bad_latencies_are_named(latency):
    with pytest.raises(ValueError, match='latency must be'):
        latency_source(latency, 0, 'latency')
