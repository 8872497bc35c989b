"""The sweep over stock configs: what it feeds to models, in which order, and what it says."""

from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from stock_sweep.configs import StockConfig, in_order
from stock_sweep.data import make_files
from stock_sweep.shrink import shrink, shrink_settings
from stock_sweep.table import table


def test_the_image_is_resized_alike_whoever_does_it(tmp_path):
    image = cv2.imread(str(make_files(tmp_path, (128, 192), 3) / '0.png'))
    half, quarter = (mmcv.imresize(image, (192 // n, 128 // n)) for n in (2, 4))
    assert np.array_equal(mmcv.imresize(half, (48, 32)), quarter)
    tensor = torch.from_numpy(half).permute(2, 0, 1)[None].float()
    zoomed = F.interpolate(tensor, (32, 48), mode='bilinear', align_corners=False)[0]
    assert np.array_equal(zoomed.permute(1, 2, 0).numpy(), quarter)
    assert np.array_equal(cv2.imread(str(tmp_path / '0_half.png')), half)


def test_sizes_shrink_alike():
    letterbox = [dict(type='Resize', scale=(640, 640), keep_ratio=True), dict(size=(640, 640))]
    found = shrink({}, letterbox, 128)
    assert (found.image, found.original) == ((128, 192), (256, 384))
    expected = [dict(type='Resize', scale=(192, 192), keep_ratio=True), dict(size=(192, 192))]
    assert shrink_settings(letterbox, found.factor) == expected
    assert shrink_settings(letterbox, found.factor, half=True)[1] == dict(size=(96, 96))
    nested = [dict(type='Broadcast', transforms=[dict(type='Resize', scale=(1333, 800))])]
    assert shrink({}, nested, 128).factor == 128 / 800


def config(name, model, kinds):
    return StockConfig(f'mmdet::{name}', Path(name), model, kinds)


CONFIGS = [
    config('a/a_r50.py', '1', 'x'),
    config('a/a_r50_2x.py', '1', 'x'),
    config('a/a_r101.py', '2', 'x'),
    config('a/a_r50_gn.py', '3', 'y'),
    config('b/b_r50.py', '4', 'x'),
]


def test_breadth_comes_before_depth():
    names = [one.name.partition('/')[2] for one in in_order(CONFIGS)]
    assert names == ['a_r50.py', 'b_r50.py', 'a_r50_gn.py', 'a_r101.py']


def test_the_table_counts_distinct_models_and_names_reasons():
    results = {
        'mmdet::a/a_r50.py': dict(status='works', reason=''),
        'mmdet::a/a_r101.py': dict(
            status='refused', reason='ValueError: Net cannot be zoomed: <b> needs *this*'
        ),
        'mmdet::b/b_r50.py': dict(status='wrong', reason='off by 1'),
    }
    for name, line in results.items():
        line['name'] = name
    text = table(CONFIGS, results)
    assert '| mmdet a | 4 | 3 | 2 | 1 | 1 |' in text
    assert '| **all** | 5 | 4 | 3 | 1 | 1 | 0 | 0 | 1 | 0 |' in text
    assert '3 of 4 distinct models were reached: 1 work' in text
    assert 'Of 2 families with 2D features that run here, 1 work (50%)' in ' '.join(text.split())
    assert '- cannot be zoomed: &lt;b> needs \\*this\\* — `mmdet::a/a_r101.py`' in text
