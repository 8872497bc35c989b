"""Adaptive saliency over whole videos in several processes: the same as in one."""

import json
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from .launching import ROOT, call, free_port, succeed

# Videos of 3 and 2 frames, so that one process has more to do than the other.
CONFIG = """
_base_ = '{root}/configs/retinanet/lzu-adaptive_retinanet_r18_fpn_mini-street-0.25x.py'
model = dict(
    data_preprocessor=dict(zoom=dict(saliency=dict(score_thr=0.0))),
    test_cfg=dict(score_thr=0.005, max_per_img=10),
)
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(indices=5))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a config and a checkpoint whose detections differ from frame to frame."""
    folder = tmp_path_factory.mktemp('videos')
    (folder / 'config.py').write_text(CONFIG.format(root=ROOT))
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(folder / 'config.py').model)
    model.init_weights()
    # Untrained, the head hardly looks at the image.
    torch.nn.init.normal_(model.bbox_head.retina_cls.weight, std=0.3)
    torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
    return folder


@pytest.fixture(scope='module')
def predict(folder, mini_street, tmp_path_factory):
    def predict(processes, *options):
        """Boxes by image, and the metrics."""
        work_dir = tmp_path_factory.mktemp('test')
        out = work_dir / 'predictions.pkl'
        tool = ['test.py'] if processes == 1 else ['dist_test.sh']
        count = [] if processes == 1 else [processes]
        succeed(
            *tool, folder / 'config.py', folder / 'model.pth', *count, '--work-dir', work_dir,
            '--out', out, *options,
            mini_street=mini_street, PORT=free_port(), CUDA_VISIBLE_DEVICES='',
        )  # fmt: skip
        (log,) = work_dir.glob('*/*.json')
        # mmengine writes this file in every process: a shorter text may lie over a longer one.
        values, _ = json.JSONDecoder().raw_decode(log.read_text())
        metrics = {k: v for k, v in values.items() if k.startswith(('coco', 'streaming'))}
        return {p['img_id']: p['pred_instances'] for p in pickle.loads(out.read_bytes())}, metrics

    return predict


def same(one, other):
    return all(
        torch.allclose(one[name], other[name], rtol=1e-4, atol=1e-2)
        for name in ('bboxes', 'scores')
    )


def boxes(path):
    """Of each image that has some, as CocoMetric writes them."""
    found = {}
    with open(path) as file:
        for each in json.load(file):
            found.setdefault(each['image_id'], []).append(each['bbox'])
    return found


def test_two_processes_find_what_one_finds(predict, folder):
    # So late that frames are judged by the one before, but not so late that one is skipped.
    streaming = ('--streaming', '--fps', '10', '--latency', '0.05', '--cfg-options')
    written = [folder / name for name in ('alone', 'together')]
    (alone, metrics), (together, metrics_together) = (
        predict(count, *streaming, f'test_evaluator.outfile_prefix={prefix}')
        for count, prefix in enumerate(written, 1)
    )
    assert sorted(alone) == sorted(together) == [0, 1, 2, 3, 4]
    assert all(same(alone[image], together[image]) for image in alone)
    assert metrics == pytest.approx(metrics_together, abs=1e-6)
    assert len(metrics) > 10
    for prefix in written:
        own, late = boxes(f'{prefix}.bbox.json'), boxes(f'{prefix}_streaming.bbox.json')
        assert late == {1: own[0], 2: own[1], 4: own[3]}

    # Frames that are dealt out one by one lose their predecessor.
    torn, _ = predict(2, '--cfg-options', 'test_dataloader.sampler.type=DefaultSampler')
    assert same(alone[0], torn[0])
    assert not same(alone[1], torn[1])


def test_more_processes_than_videos_are_refused(folder, mini_street):
    process = call(
        'dist_test.sh', folder / 'config.py', folder / 'model.pth', 2, '--work-dir', folder,
        '--cfg-options', 'test_dataloader.dataset.indices=3',
        mini_street=mini_street, PORT=free_port(), CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    assert process.returncode != 0
    assert '1 videos cannot be split over 2 processes: start fewer' in process.stdout
