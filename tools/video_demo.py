#!/usr/bin/env python
"""Detect objects in a video, and show where the model looks: three pictures side by side.

They show the original with its detections, the saliency as a heat map, and the zoomed frame that
the network sees. Examples:
    python tools/video_demo.py street.mp4 CONFIG CHECKPOINT --out zoom.mp4
    python tools/video_demo.py street.mp4 CONFIG CHECKPOINT --show
"""

import itertools
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Optional, Tuple

import cv2
import mmcv
import numpy as np
from mmcv.transforms import Compose
from mmdet.apis import inference_detector, init_detector
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.utils import ProgressBar

from lzu_mm.data_preprocessors import ZoomMixin
from lzu_mm.engine import (
    CheckpointError,
    add_cfg_options,
    check_weights,
    load_config,
    read_checkpoint,
)
from lzu_mm.files import check_writable, replacing
from lzu_mm.visualization import ZoomRecord, ZoomRecorder, compose_panels, draw_saliency

DEFAULT_FPS = 25.0


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('video', help='a video file')
    parser.add_argument('config', help='the config of a detector that zooms')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', type=Path, help='the .mp4 to write')
    parser.add_argument('--overwrite', action='store_true', help='replace a video that is there')
    parser.add_argument('--device', default=get_device(), help='default: a GPU where there is one')
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='draw boxes from this score on (default: 0.3)'
    )
    parser.add_argument('--show', action='store_true', help='show the frames in a window')
    parser.add_argument(
        '--wait-time',
        type=int,
        default=1,
        help='milliseconds each frame is shown at least; 0 waits for a key (default: 1)',
    )
    parser.add_argument('--width', type=int, default=640, help='of each picture, pixels')
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='go on with a checkpoint that lacks weights of the model',
    )
    add_cfg_options(parser)
    return parser.parse_args()


def check_args(args: Namespace) -> None:
    """Refuse what would fail later, or overwrite a file."""
    if not args.out and not args.show:
        raise SystemExit('error: set --out to write a video, or --show to see it in a window')
    if args.out and args.out.suffix != '.mp4':
        raise SystemExit(f'error: --out must end in .mp4, not as {args.out}')
    if args.out and args.out.exists() and not args.overwrite:
        raise SystemExit(f'error: --out {args.out} exists: use --overwrite or another name')
    for path in (args.video, args.config, args.checkpoint):
        if '://' not in path and not Path(path).is_file():
            raise SystemExit(f'error: there is no file {path}')


def open_video(path: str) -> mmcv.VideoReader:
    """Open a video of at least one frame."""
    video = mmcv.VideoReader(path)
    if not video.opened or video.width == 0:
        raise SystemExit(
            f'error: cannot open {path} as a video: it is damaged, or of no known kind'
        )
    return video


def build_model(args: Namespace) -> Any:
    """The detector."""
    cfg = load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    if cfg.get('default_scope') != 'mmdet':
        raise SystemExit(
            f'error: {args.config} is of {cfg.get("default_scope")!r}; this demo takes detectors '
            'of mmdet'
        )
    try:
        checkpoint = read_checkpoint(args.checkpoint)
        model = init_detector(cfg, args.checkpoint, device=args.device)
        check_weights(model, checkpoint, args.checkpoint, allow_partial=args.allow_partial)
    except (FileNotFoundError, CheckpointError) as error:
        raise SystemExit(f'error: {error}') from error
    if not isinstance(model.data_preprocessor, ZoomMixin):
        raise SystemExit(
            'error: the model does not zoom: model.data_preprocessor.type must be '
            "'lzu_mm.ZoomDetDataPreprocessor'"
        )
    return model


def build_pipeline(cfg: Config) -> Callable[[dict], dict]:
    """The test pipeline for frames in memory, which numbers them as frames of one video."""
    pipeline = get_test_pipeline_cfg(cfg.copy())
    pipeline[0].type = 'mmdet.LoadImageFromNDArray'
    transform, numbers = Compose(pipeline), itertools.count()

    def numbered(data: dict) -> dict:
        packed = transform(data)
        # Whether or not the pipeline packs them: adaptive saliency follows a video by these.
        packed['data_samples'].set_metainfo(dict(video_id=0, frame_id=next(numbers)))
        return packed

    return numbered


def build_visualizer(model: Any) -> Any:
    """The visualizer of the config, which draws the detections and stores nothing."""
    visualizer = VISUALIZERS.build({**model.cfg.visualizer, 'vis_backends': None})
    visualizer.dataset_meta = model.dataset_meta
    return visualizer


def draw(
    record: ZoomRecord, frame: np.ndarray, result: DetDataSample, visualizer: Any, args: Namespace
) -> np.ndarray:
    """Three pictures on one sheet, (H, W, 3) BGR."""
    visualizer.add_datasample(
        'video', frame[..., ::-1], result, draw_gt=False, pred_score_thr=args.score_thr
    )
    h, w = record.zoomed.shape[:2]
    height = round(args.width * frame.shape[0] / frame.shape[1])
    shown = cv2.resize(frame, (args.width, height), interpolation=cv2.INTER_AREA)
    return compose_panels(
        [
            ('detections', visualizer.get_image()[..., ::-1]),
            ('saliency', draw_saliency(shown, record.saliency)),
            (f'zoomed: what the network gets, {w} x {h}', record.zoomed),
        ],
        width=args.width,
    )


class Output:
    """The video file and the window.

    All pictures get the size of the first, made even as video files require.
    """

    def __init__(self, args: Namespace, fps: float) -> None:
        self.args = args
        self.fps = fps
        self.size: Optional[Tuple[int, int]] = None
        self.writer: Optional[cv2.VideoWriter] = None
        self.count = 0
        self.files = ExitStack()

    def add(self, picture: np.ndarray) -> None:
        """Write and show a picture."""
        if self.size is None:
            self._open(picture)
        picture = _pad(picture, self.size)
        if self.writer is not None:
            self.writer.write(picture)
            self.count += 1
        if self.args.show:
            mmcv.imshow(picture, 'video', self.args.wait_time)

    def __enter__(self) -> 'Output':
        return self

    def __exit__(self, *error: Any) -> None:
        """Finish the file, which is kept if it is whole."""
        if self.args.show:
            cv2.destroyAllWindows()
        if self.writer is not None:
            self.writer.release()
        if self.writer is None or error[0] is not None:
            self.files.__exit__(*error)
            return
        with self.files:
            self._check()

    def _check(self) -> None:
        """OpenCV tells of no failure to write."""
        written = mmcv.VideoReader(str(self.draft))
        if not written.opened or written.frame_cnt != self.count:
            raise SystemExit(f'\nerror: {self.args.out} could not be written: is the disk full?')

    def _open(self, picture: np.ndarray) -> None:
        h, w = (n + n % 2 for n in picture.shape[:2])
        self.size = (h, w)
        if self.args.out:
            self.draft = self.files.enter_context(replacing(self.args.out))
            codec = cv2.VideoWriter_fourcc(*'mp4v')
            self.writer = cv2.VideoWriter(str(self.draft), codec, self.fps, (w, h))
            if not self.writer.isOpened():
                raise SystemExit(f'error: cannot write {self.args.out} as a video')


def _pad(picture: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Shrink a picture that is too large, and pad it at the bottom and the right."""
    ratio = min(1.0, size[0] / picture.shape[0], size[1] / picture.shape[1])
    if ratio < 1:
        picture = mmcv.imrescale(picture, ratio)
    return mmcv.impad(picture, shape=size, pad_val=tuple(int(n) for n in picture[0, 0]))


def main() -> None:
    """Detect, draw and write."""
    args = parse_args()
    check_args(args)
    if args.out:
        try:
            check_writable(args.out)
        except OSError as error:
            raise SystemExit(f'error: cannot write {args.out}: {error}') from error
    video = open_video(args.video)
    model = build_model(args)
    pipeline, visualizer = build_pipeline(model.cfg), build_visualizer(model)
    bar = ProgressBar(max(video.frame_cnt, 0))
    begin, inference, count, shape = time.perf_counter(), 0.0, 0, None
    with Output(args, video.fps if video.fps > 0 else DEFAULT_FPS) as output:
        for frame in video:
            if shape not in (None, frame.shape):
                print(f'\nframe {count}: the size changes from {shape[:2]} to {frame.shape[:2]}')
            shape = frame.shape
            with ZoomRecorder(model.data_preprocessor) as recorder:
                start = time.perf_counter()
                result = inference_detector(model, frame, pipeline)
                inference += time.perf_counter() - start
            output.add(draw(recorder.record, frame, result, visualizer, args))
            count += 1
            bar.update()
    if count == 0:
        raise SystemExit(f'\nerror: {args.video} has no frame that can be read')
    if count < video.frame_cnt:
        print(f'\nwarning: {args.video} is damaged: {count} of {video.frame_cnt} frames were read')
    total = time.perf_counter() - begin
    print(
        f'\n{count} frames at {count / total:.1f} frames/s; without drawing and reading '
        f'{count / inference:.1f} frames/s'
    )
    if args.out:
        print(f'video: {args.out}')


if __name__ == '__main__':
    main()
