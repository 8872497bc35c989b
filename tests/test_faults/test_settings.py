"""Settings of a wrong type or range are refused when a model is built, by name, value and range."""

import math
import re

import pytest
import torch

from lzu_mm.data_preprocessors import ZoomDetDataPreprocessor, ZoomSegDataPreProcessor
from lzu_mm.datasets import SequenceSampler
from lzu_mm.evaluation import FineCocoMetric
from lzu_mm.heads import SaliencyEdgeHead
from lzu_mm.hooks import ZoomVisualizationHook
from lzu_mm.link import WarpLink
from lzu_mm.necks import UnzoomNeck
from lzu_mm.saliency.estimation.boundaries import BoundarySaliency
from lzu_mm.saliency.estimation.centres import CentreSaliency
from lzu_mm.saliency.estimation.kde import BoxSaliency, box_saliency
from lzu_mm.warps import saliency_to_warp

NAN, INF = math.nan, math.inf

# Setting, range that the message names, wrong values.
ZOOM = [
    ('scale', 'a number in (0, 4]', [0, -1, 4.1, NAN, INF, '0.5', True, [0.5], {}]),
    ('size', 'two whole numbers in [1, 65536]', [(0, 5), (64,), 64, 'big', (64.0, 64), (NAN, 9)]),
    ('size', "'auto' beside zoom.scale, or (h, w)", [(64, '64'), (True, 64), (64, 10**9), {}]),
    ('method', "one of ('attraction', 'equalise')", ['Equalise', 1, True, ['equalise']]),
    ('uniform_share', 'a number in (0, 1]', [0, 1.1, NAN, '0.1', True]),
    ('attraction_fwhm', 'a number in [0.001, 1e6]', [0, -1, NAN, INF, 1e-30, '10', (10,)]),
    ('max_magnification', 'a number in (1, 10000]', [1, 0, 10001, 1e6, INF, NAN, '4', True]),
    ('train_prob', 'a number in [0, 1]', [-0.1, 1.1, NAN, 'always', True]),
    ('labels', "one of ('resized', 'warped')", ['Warped', True, 1]),
    *[
        (flag, 'True or False', ['no', 'yes', 'False', 0, 1, NAN, []])
        for flag in ('anti_crop', 'separable', 'align_corners', 'antialias', 'train_only')
    ],
    ('saliency', 'a config, dict(type=...)', ['UniformSaliency', 1, {}, dict(path='a')]),
]
GRID = [('grid_shape', '(h_S, w_S), two whole numbers in [2, 512]',
         [(1, 5), 31, (31,), '31x51', (31.5, 51), (1000, 1000), (NAN, 3)])]  # fmt: skip
FLOOR_1 = ('floor', 'a number in [0, 1', [-0.1, 1.1, NAN, '0.1', True])
SALIENCY = {
    'LearnedSaliency': [
        *GRID,
        FLOOR_1,
        ('input_size', 'two whole numbers in [4, 4096]', [(0, 5), 96, ('96', 96), (1e9, 1e9)]),
    ],
    'TemporalSaliency': [
        *GRID,
        ('bandwidth', 'a number in (0, inf) pixels', [0, -64, NAN, INF, '64', True]),
        ('amplitude', 'a number in [0, inf)', [-1, NAN, '1']),
        ('score_thr', 'a number in [0, 1]', [-0.1, 30, NAN, '0.3']),
        ('weight_by_score', 'True or False', ['no', 0, None]),
        ('jitter', 'a number in [0, inf) pixels', [-1, NAN, INF, '50']),
        ('drop_prob', 'a number in [0, 1]', [-0.1, 1.1, NAN, 'no']),
        ('max_gap', 'a whole number in [1, inf)', [0, -1, 1.5, NAN, '1', True]),
        ('prior', 'a config, dict(type=...)', ['UniformSaliency', dict(row=0.5)]),
    ],
    'LearnedKDE': [('bandwidth', 'a number in (0, inf) pixels', [0, NAN, '64'])],
    'HorizonSaliency': [
        *GRID,
        FLOOR_1,
        ('row', 'a number in (0, 1)', [0, 1, 270, NAN, '0.5', True]),
        ('column', 'a number in (0, 1)', [0, 960, NAN, 'middle']),
        *[(f'falloff_{side}', 'a number in [1e-6, 1e6]', [0, -1, NAN, INF, '1'])
          for side in ('below', 'above', 'sides')],
    ],
    'CombinedSaliency': [
        ('members', 'a list of configs', ['UniformSaliency', None, dict(type='UniformSaliency')]),
        ('weights', 'a number in [0, inf)', [[NAN], ['1'], [-1]]),
        ('weights', 'a list of numbers', ['half', 1]),
    ],
    'FixedSaliency': [('path', 'the path of a saliency file', [None, 3, ['map.npz']])],
}  # fmt: skip
GOOD = {
    'HorizonSaliency': dict(row=0.5),
    'CombinedSaliency': dict(members=[dict(type='UniformSaliency')]),
    'FixedSaliency': dict(path='map.npz'),
}


def flat(table):
    return [(name, words, value) for name, words, values in table for value in values]


def refused(build, name, words, value):
    """Building says the setting, the range and the value."""
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        build()
    assert name in str(caught.value)
    if not isinstance(value, dict):
        shown = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
        assert repr(shown) in str(caught.value)


def zoomed(**zoom):
    size = {} if 'size' in zoom else dict(scale=0.5)
    return {**size, 'saliency': dict(type='UniformSaliency'), **zoom}


@pytest.mark.parametrize(('name', 'words', 'value'), flat(ZOOM))
def test_zoom(name, words, value):
    zoom = zoomed(**{name: value})
    refused(lambda: ZoomDetDataPreprocessor(zoom=zoom), f'zoom.{name}', words, value)
    refused(lambda: ZoomSegDataPreProcessor(zoom=zoom), f'zoom.{name}', words, value)


@pytest.mark.parametrize(
    ('kind', 'name', 'words', 'value'),
    [(kind, *row) for kind, table in SALIENCY.items() for row in flat(table)],
)
def test_saliency(kind, name, words, value):
    config = dict(GOOD.get(kind, {}), type=kind, **{})
    config[name] = value
    refused(
        lambda: ZoomDetDataPreprocessor(zoom=zoomed(saliency=config)),
        f'saliency.{name}',
        words,
        value,
    )


@pytest.mark.parametrize('zoom', ['on', 0.5, ['scale'], True])
def test_zoom_that_is_no_dict(zoom):
    with pytest.raises(ValueError, match=r'needs zoom=dict\('):
        ZoomDetDataPreprocessor(zoom=zoom)


def test_a_batch_augmentation_does_not_hide_a_wrong_scale():
    augment = dict(type='BatchFixedSizePad', size=(64, 64))
    with pytest.raises(ValueError, match=r"zoom\.scale must be a number in \(0, 4\], got '0\.5'"):
        ZoomDetDataPreprocessor(zoom=zoomed(scale='0.5'), batch_augments=[augment])


@pytest.mark.parametrize(
    ('build', 'words', 'values'),
    [
        (lambda v: UnzoomNeck(antialias=v, link=WarpLink()), 'UnzoomNeck.antialias must be True',
         ['no', 1]),
        (lambda v: UnzoomNeck(frame=v, link=WarpLink()), 'UnzoomNeck.frame',
         [0, 9, NAN, '2', True, (2,), (2, '2'), None]),
        (lambda v: SaliencyEdgeHead(sigma=v, link=WarpLink()), 'sigma must be a number in (0, 100]',
         [0, NAN, INF, '1', 1e9]),
        (lambda v: SaliencyEdgeHead(loss_weight=v, link=WarpLink()), 'loss_weight must be a number',
         [-1, NAN, '100']),
        (lambda v: SaliencyEdgeHead(ignore_index=v, link=WarpLink()), 'ignore_index must be',
         [0.5, '255', None]),
        (lambda v: ZoomVisualizationHook(interval=v), 'interval must be a whole number in [1, inf)',
         [0, 1.5, '50', NAN]),
        (lambda v: ZoomVisualizationHook(draw=v), 'draw must be True or False', ['no', 1]),
        (lambda v: ZoomVisualizationHook(show=v), 'show must be True or False', ['no', 1]),
        (lambda v: ZoomVisualizationHook(wait_time=v), 'wait_time must be a number in [0, inf)',
         [-1, NAN, '2']),
        (lambda v: ZoomVisualizationHook(width=v), 'width must be a whole number', [0, 1e5, '640']),
        (lambda v: SequenceSampler([], shuffle=v), 'sampler.shuffle must be True or False',
         ['no', 0]),
        (lambda v: FineCocoMetric(classwise=v), 'classwise must be True or False', ['no', 1]),
        (lambda v: FineCocoMetric(sizes=v), 'FineCocoMetric.sizes',
         [3, {'t': 16}, {'t': (16, 0)}, {'t': ('0', 16)}, {'t': (0, NAN)}, 'tiny']),
        (lambda v: BoxSaliency(v).add(torch.zeros(1, 4), (9, 9)), 'grid_shape must be (h_S, w_S)',
         [(1, 5), 31, (1e3, 1e3)]),
        (lambda v: BoundarySaliency(v), 'grid_shape must be (h_S, w_S)', [(1, 5), 31, '45x45']),
        (lambda v: CentreSaliency(v), 'grid_shape must be (h_S, w_S)', [(1, 5), 31]),
        (lambda v: CentreSaliency(sigma=v), 'sigma must be a number in (0, inf)',
         [(0, 1), (NAN, 1), ('1', 1)]),
        (lambda v: box_saliency(torch.zeros(1, 4), (9, 9), bandwidth=v), 'bandwidth is a positive',
         [0, NAN]),
        (lambda v: saliency_to_warp(torch.ones(1, 1, 3, 3), attraction_fwhm=v), 'attraction_fwhm',
         [0, NAN, INF, '10']),
        (lambda v: saliency_to_warp(torch.ones(1, 1, 3, 3), separable=v), 'separable must be True',
         ['no', 1]),
    ],
)  # fmt: skip
def test_parts(build, words, values):
    for value in values:
        with pytest.raises(ValueError, match=re.escape(words)):
            build(value)


def test_the_message_reads_well():
    with pytest.raises(ValueError, match=r"^zoom\.train_only must be True or False, got 'no'$"):
        ZoomDetDataPreprocessor(zoom=zoomed(train_only='no'))


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    zoom = zoomed(size=tuple(np.array([64, 96])), attraction_fwhm=np.float32(8))
    assert ZoomDetDataPreprocessor(zoom=zoom).zoom.output_size((9, 9)) == (64, 96)


@pytest.mark.parametrize('separable', [True, False])
def test_the_largest_magnification_has_no_fold(separable):
    generator = torch.Generator().manual_seed(0)
    for share in (1e-9, 1e-4, 1.0):
        saliency = (torch.rand(8, 1, 31, 51, generator=generator) < 0.01) + torch.tensor(share)
        warp = saliency_to_warp(saliency, 2, separable=separable, max_magnification=10000)
        points = torch.rand(8, 500, 2, generator=generator)
        # Rounding of float32, magnified by no more than the bound.
        assert (warp.to_zoomed(warp.to_source(points)) - points).abs().max() < 1e4 * 2e-6
