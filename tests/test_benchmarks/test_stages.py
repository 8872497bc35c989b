"""Timing: each moment counts once, for the stage that runs then."""

import copy

import pytest
import torch

from lzu_mm.necks import unzoom_neck
from lzu_mm.warps import unzoom_feature
from timing.stages import STAGES, StageTimer
from timing.turns import interleave, milliseconds

from ..models import batch, pair


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what the test adds."""
    now = [0.0]
    monkeypatch.setattr('time.perf_counter', lambda: now[0])

    def spend(seconds):
        now[0] += seconds

    return spend


def spending(function, spend, seconds):
    """A function that takes so long by the clock."""

    def wrapped(*args, **kwargs):
        spend(seconds)
        return function(*args, **kwargs)

    return wrapped


def test_nested_stages_do_not_count_twice(clock, monkeypatch):
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.TemporalSaliency'))
    _, model = pair('retinanet', zoom)
    model.neck.inner.forward = spending(model.neck.inner.forward, clock, 1)
    monkeypatch.setattr(unzoom_neck, 'unzoom_feature', spending(unzoom_feature, clock, 2 / 5))
    model.backbone.forward = spending(model.backbone.forward, clock, 4)
    model.data_preprocessor.saliency.forward = spending(
        model.data_preprocessor.saliency.forward, clock, 8
    )
    model.bbox_head.forward = spending(model.bbox_head.forward, clock, 16)
    model.data_preprocessor.forward = spending(model.data_preprocessor.forward, clock, 32)
    before = [dict(vars(part)) for part in model.modules()]
    timer = StageTimer(model, lambda: None)
    with timer, torch.no_grad():
        model.test_step(batch('retinanet', [(64, 96)]))
    expected = {'inner neck': 1, 'unzoom': 2, 'backbone': 4, 'saliency': 8, 'head': 16}
    expected['normalise and pad'] = 32
    assert {stage: timer.seconds[stage] for stage in STAGES} == pytest.approx(
        {**dict.fromkeys(STAGES, 0), **expected}
    )
    after = [vars(part) for part in model.modules()]
    assert [set(part) for part in before] == [set(part) for part in after]
    spent = copy.copy(timer.seconds)
    model.test_step(batch('retinanet', [(64, 96)]))
    assert timer.seconds == spent


def test_functions_take_turns(clock):
    calls = []
    functions = [lambda: (calls.append('a'), clock(1)), lambda: (calls.append('b'), clock(3))]
    seconds = interleave(functions, 2, 1, lambda: None)
    assert calls == ['a', 'b'] * 3
    assert seconds == [[1, 1], [3, 3]]


def test_milliseconds_an_image():
    found = milliseconds([0.1, 0.2, 0.3, 0.4, 0.5], images=2)
    assert found == {
        'median': pytest.approx(150),
        'low': pytest.approx(75),
        'high': pytest.approx(225),
    }
