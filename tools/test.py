#!/usr/bin/env python
"""Evaluate a checkpoint with the metrics of its config, and write or draw its predictions.

The library is the `default_scope` of the config. Examples:
    lzu-mm test CONFIG CHECKPOINT
    lzu-mm test CONFIG CHECKPOINT --out results.pkl --show-dir pictures
    lzu-mm dist-test CONFIG CHECKPOINT 8 --tta
    lzu-mm test CONFIG end2end.onnx
    lzu-mm test CONFIG CHECKPOINT --streaming --fps 30 --latency 0.045
"""

import os
import os.path as osp
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from copy import deepcopy
from typing import Union

from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.registry import METRICS
from mmengine.runner import Runner

from lzu_mm.engine import (
    add_common_arguments,
    build_runner,
    check_phase,
    config_from_args,
    read_checkpoint,
    run_tool,
)
from lzu_mm.files import check_writable
from lzu_mm.pipelines import type_name

PICKLES = ('.pkl', '.pickle')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='the config to test')
    parser.add_argument(
        'checkpoint', help='the checkpoint to test, or a file of lzu-mm export-onnx'
    )
    parser.add_argument(
        '--out',
        help='a new .pkl file for the predictions; with MMSegmentation also a folder, '
        'which gets the label maps as images',
    )
    parser.add_argument('--show', action='store_true', help='show each prediction in a window')
    parser.add_argument('--show-dir', help='the folder for pictures of the predictions')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds each picture is shown (default: 2)'
    )
    parser.add_argument(
        '--score-thr', type=float, help='draw boxes from this score on (default: from the config)'
    )
    parser.add_argument(
        '--task', default='mono_det', help='what MMDetection3D draws (default: mono_det)'
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test time augmentation: tta_model of the config, or flips',
    )
    parser.add_argument(
        '--streaming',
        action='store_true',
        help='streaming accuracy beside the AP of detectors: each frame of a video is judged by '
        'the newest result that was ready',
    )
    parser.add_argument('--fps', type=float, help='frames per second of the videos')
    parser.add_argument(
        '--latency',
        type=seconds_or_file,
        help='of each frame: seconds, or a .json file of seconds (default: measured in the test)',
    )
    parser.add_argument('--latency-out', help='a new .json file for the latencies')
    add_common_arguments(parser)
    return parser.parse_args()


def seconds_or_file(text: str) -> Union[float, str]:
    """Read --latency."""
    try:
        return float(text)
    except ValueError:
        return text


def enable_streaming(cfg: Config, args: Namespace) -> None:
    """Evaluate streaming accuracy beside the metrics of the config, or as these have it."""
    if args.fps is None:
        raise SystemExit('error: --streaming needs --fps, the frames per second of the videos')
    metrics = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    stock = next((each for each in metrics if type_name(each) == 'CocoMetric'), None)
    if stock is None:
        raise SystemExit(
            'error: --streaming judges boxes as CocoMetric does, but test_evaluator has no '
            f'CocoMetric: {[type_name(each) for each in metrics]}'
        )
    settings = dict(fps=args.fps, latency=args.latency, latency_file=args.latency_out)
    settings = {key: value for key, value in settings.items() if value is not None}
    streaming = ConfigDict(deepcopy(stock), type='lzu_mm.StreamingCocoMetric', **settings)
    streaming.pop('prefix', None)
    if streaming.get('outfile_prefix'):
        streaming.outfile_prefix += '_streaming'
    others = [each for each in metrics if type_name(each) != 'StreamingCocoMetric']
    cfg.test_evaluator = [*others, streaming]
    cfg.test_dataloader.batch_size = 1
    if args.launcher != 'none':
        cfg.test_dataloader.sampler = ConfigDict(type='lzu_mm.SequenceSampler')


def enable_drawing(cfg: Config, args: Namespace) -> None:
    """Let the visualization hook of the library draw every tested image."""
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise SystemExit(
            'error: --show and --show-dir need default_hooks.visualization in the config, e.g. '
            "dict(type='DetVisualizationHook')"
        )
    hook.update(draw=True, interval=1, show=args.show, wait_time=args.wait_time)
    if cfg.default_scope == 'mmdet3d':
        hook.vis_task = args.task
    if cfg.default_scope != 'mmseg' and args.score_thr is not None:
        hook.score_thr = args.score_thr
    if args.show_dir:
        # The hooks prepend the log's folder again for each image, unless the path is absolute.
        folder = osp.abspath(args.show_dir)
        if cfg.default_scope == 'mmseg':
            cfg.visualizer.save_dir = folder
        else:
            hook.test_out_dir = folder


def use_file(cfg: Config, args: Namespace) -> None:
    """Let a file take the place of the model."""
    if args.tta:
        raise SystemExit('error: --tta merges views in PyTorch: test a checkpoint')
    cfg.model = ConfigDict(type='lzu_mm.OnnxModel', path=args.checkpoint)
    # What a training would start from.
    cfg.load_from = None


def enable_tta(cfg: Config) -> None:
    """Wrap the model and the test pipeline for test time augmentation."""
    if cfg.default_scope == 'mmdet':
        cfg.setdefault('tta_model', default_tta_model())
        cfg.setdefault('tta_pipeline', flipping(innermost_dataset(cfg).pipeline))
    missing = [name for name in ('tta_model', 'tta_pipeline') if name not in cfg]
    if missing:
        raise SystemExit(
            f'error: --tta needs {" and ".join(missing)} in the config; {cfg.default_scope} has no '
            'default for this task'
        )
    innermost_dataset(cfg).pipeline = cfg.tta_pipeline
    cfg.model = ConfigDict(cfg.tta_model, module=cfg.model)


def innermost_dataset(cfg: Config) -> ConfigDict:
    """Find the tested dataset below its wrappers."""
    check_phase(cfg, 'test_dataloader')
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


def default_tta_model() -> dict:
    """Merge the views of a detector by non-maximum suppression."""
    nms = dict(type='nms', iou_threshold=0.5)
    return dict(type='DetTTAModel', tta_cfg=dict(nms=nms, max_per_img=100))


def flipping(pipeline: list) -> list:
    """Turn a detection test pipeline into one that packs the image and its mirror image."""
    *load, pack = deepcopy(pipeline)
    keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    keys = tuple(dict.fromkeys([*pack.get('meta_keys', keys), 'flip', 'flip_direction']))
    flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
    views = [flips, [ConfigDict(pack, meta_keys=keys)]]
    return [*load, dict(type='TestTimeAug', transforms=views)]


def write_label_maps(cfg: Config, folder: str) -> None:
    """Let the metrics of MMSegmentation write their predictions into a folder."""
    if cfg.default_scope != 'mmseg':
        raise SystemExit(f'error: --out must end in .pkl or .pickle, not {folder!r}')
    metrics = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    for metric in metrics:
        metric.update(output_dir=folder, keep_results=True)


def dump_predictions(runner: Runner, scope: str, path: str) -> None:
    """Let the evaluator write all predictions into a pickle."""
    # MMDetection's own leaves the ground truth out and packs masks.
    dump = 'mmdet.DumpDetResults' if scope == 'mmdet' else 'DumpResults'
    metric = METRICS.build(dict(type=dump, out_file_path=path))
    runner.test_evaluator.metrics.append(metric)


def explain_missing_pictures(cfg: Config, folder: str) -> None:
    """Say why MMDetection3D has left a folder for pictures empty, if it has."""
    if osp.isdir(folder) and os.listdir(folder):
        return
    lowest = cfg.default_hooks.visualization.get('score_thr', 0.3)
    print(
        f'no pictures in {folder}: MMDetection3D writes none of an image without a prediction of a '
        f'score above {lowest}. Lower --score-thr (and model.test_cfg.score_thr, below which heads '
        'drop boxes), or train for longer'
    )


def main() -> None:
    """Test."""
    args = parse_args()
    if '://' not in args.checkpoint and not osp.isfile(args.checkpoint):
        raise SystemExit(f'error: no checkpoint at {args.checkpoint}')
    if args.out and osp.exists(args.out):
        raise SystemExit(f'error: --out {args.out} exists; remove it or choose another name')
    pickled = bool(args.out) and args.out.endswith(PICKLES)
    cfg = config_from_args(args)
    if args.checkpoint.endswith('.onnx'):
        use_file(cfg, args)
    else:
        cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        enable_drawing(cfg, args)
    if args.streaming:
        enable_streaming(cfg, args)
    elif any(value is not None for value in (args.fps, args.latency, args.latency_out)):
        raise SystemExit('error: --fps, --latency and --latency-out are for --streaming')
    if args.tta:
        enable_tta(cfg)
    if args.out and not pickled:
        write_label_maps(cfg, args.out)
    for path in [*([args.out] if pickled else []), osp.join(cfg.work_dir, 'log')]:
        check_writable(path)
    if cfg.load_from:
        read_checkpoint(cfg.load_from)
    check_phase(cfg, 'test_dataloader', 'test_cfg', 'test_evaluator')
    runner = build_runner(cfg, args.allow_partial)
    if pickled:
        dump_predictions(runner, cfg.default_scope, args.out)
    runner.test()
    if args.show_dir and cfg.default_scope == 'mmdet3d' and is_main_process():
        explain_missing_pictures(cfg, args.show_dir)


if __name__ == '__main__':
    run_tool(main)
