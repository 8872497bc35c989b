#!/usr/bin/env python
"""Detect objects in a video, and show where the model looks: three pictures side by side.

They show the original with its detections, the saliency as a heat map, and the zoomed frame that
the network sees. Examples:
    lzu-mm video-demo street.mp4 CONFIG CHECKPOINT --out zoom.mp4
    lzu-mm video-demo 0 CONFIG CHECKPOINT --show                    # a webcam
    lzu-mm video-demo rtsp://camera/1 CONFIG end2end.onnx --show    # detections alone

It reads, detects, draws and writes at the same time. Cameras are never kept waiting: frames that
arrive while the detector is busy are dropped. Ctrl-C ends a camera's video.
"""

import itertools
import signal
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

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
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar

from lzu_mm.data_preprocessors import ZoomMixin
from lzu_mm.deploy import OnnxModel
from lzu_mm.engine import (
    add_cfg_options,
    check_weights,
    load_config,
    read_checkpoint,
    run_tool,
)
from lzu_mm.files import check_writable
from lzu_mm.video import Background, Camera, VideoFile, is_camera
from lzu_mm.visualization import ZoomRecord, ZoomRecorder, compose_panels, draw_saliency

DEFAULT_FPS = 25.0
# What cameras say beyond is the clock of the stream.
LARGEST_FPS = 1000.0
# Seconds for a stage to end with the program; a camera may never answer.
PATIENCE = 10.0


class Frame(NamedTuple):
    """A frame on its way through the stages."""

    number: int
    read: float  # when, in seconds
    image: np.ndarray
    result: Optional[DetDataSample] = None
    record: Optional[ZoomRecord] = None
    picture: Optional[np.ndarray] = None


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument(
        'video', help='a video file, the index of a webcam, or the address of a camera (rtsp://…)'
    )
    parser.add_argument('config', help='the config of a detector that zooms')
    parser.add_argument('checkpoint', help='its checkpoint, or a file of lzu-mm export-onnx')
    parser.add_argument(
        '--live',
        action='store_true',
        help='drop frames rather than lag behind, as for webcams and rtsp://, with an http:// '
        'address of a camera',
    )
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
    if args.width < 1:
        raise SystemExit('error: --width is a number of pixels, 1 or more')
    if args.live and '://' not in args.video and not is_camera(args.video):
        raise SystemExit(f'error: --live is for cameras: no frame of {args.video} is dropped')
    args.live = args.live or is_camera(args.video)
    for path in (*([] if args.live else [args.video]), args.config, args.checkpoint):
        if '://' not in path and not Path(path).is_file():
            raise SystemExit(f'error: there is no file {path}')


def open_video(path: str, live: bool) -> Union[mmcv.VideoReader, Camera]:
    """Open a video of at least one frame."""
    video = Camera(path) if live else mmcv.VideoReader(path)
    if not video.opened or video.width == 0:
        raise SystemExit(
            f'error: cannot open {path} as a '
            + ('camera' if live else 'video: it is damaged, or of no known kind')
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
    if args.checkpoint.endswith('.onnx'):
        return open_file(args.checkpoint, cfg)
    checkpoint = read_checkpoint(args.checkpoint)
    model = init_detector(cfg, args.checkpoint, device=args.device)
    check_weights(model, checkpoint, args.checkpoint, allow_partial=args.allow_partial)
    if not isinstance(model.data_preprocessor, ZoomMixin):
        raise SystemExit(
            'error: the model does not zoom: model.data_preprocessor.type must be '
            "'lzu_mm.ZoomDetDataPreprocessor'"
        )
    return model


def open_file(path: str, cfg: Config) -> OnnxModel:
    """A file in place of the detector."""
    init_default_scope('mmdet')
    try:
        model = OnnxModel(path)
    except (ImportError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    if model.metadata['task'] != 'detect':
        raise SystemExit(f'error: {path} is of task {model.metadata["task"]!r}, not a detector')
    model.cfg = cfg
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


def read(video: Iterable[np.ndarray]) -> Iterator[Frame]:
    """Number the frames."""
    for number, image in enumerate(video):
        yield Frame(number, time.perf_counter(), image)


class Detect:
    """The stage that runs the model, and the seconds that each frame took it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.pipeline = build_pipeline(model.cfg)
        self.seconds: List[float] = []

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Detect."""
        shape = None
        for frame in frames:
            new = frame.image.shape
            if shape not in (None, new):
                print(f'\nframe {frame.number}: the size changes from {shape[:2]} to {new[:2]}')
            shape = new
            start = time.perf_counter()
            result, record = self.detect(frame.image)
            result.pred_instances.scores.cpu()  # waits for the device
            self.seconds.append(time.perf_counter() - start)
            yield frame._replace(result=result, record=record)

    def detect(self, image: np.ndarray) -> Tuple[DetDataSample, Optional[ZoomRecord]]:
        """What is found in an image, and what the zoom did, if it can be looked at."""
        if isinstance(self.model, OnnxModel):
            return inference_detector(self.model, image, self.pipeline), None
        with ZoomRecorder(self.model.data_preprocessor) as recorder:
            result = inference_detector(self.model, image, self.pipeline)
        return result, recorder.record


def draw(
    record: Optional[ZoomRecord],
    frame: np.ndarray,
    result: DetDataSample,
    visualizer: Any,
    args: Namespace,
) -> np.ndarray:
    """Three pictures on one sheet, (H, W, 3) BGR; one if what the zoom did is not known."""
    visualizer.add_datasample(
        'video', frame[..., ::-1], result, draw_gt=False, pred_score_thr=args.score_thr
    )
    panels = [('detections', visualizer.get_image()[..., ::-1])]
    if record is not None:
        h, w = record.zoomed.shape[:2]
        height = round(args.width * frame.shape[0] / frame.shape[1])
        shown = cv2.resize(frame, (args.width, height), interpolation=cv2.INTER_AREA)
        panels += [
            ('saliency', draw_saliency(shown, record.saliency)),
            (f'zoomed: what the network gets, {w} x {h}', record.zoomed),
        ]
    return compose_panels(panels, columns=len(panels), width=args.width)


class Stages:
    """Reading, detecting and drawing, each in a thread, while the main one writes."""

    def __init__(self, args: Namespace, video: Iterable[np.ndarray], detect: Detect) -> None:
        visualizer = build_visualizer(detect.model)

        def pictures(frames: Iterable[Frame]) -> Iterator[Frame]:
            for frame in frames:
                picture = draw(frame.record, frame.image, frame.result, visualizer, args)
                yield frame._replace(picture=picture)

        # Of a camera's frames the detector gets the newest.
        self.frames = Background(read(video), ahead=1 if args.live else 4, drop=args.live)
        self.detected = Background(detect(self.frames), ahead=1)
        self.drawn = Background(pictures(self.detected), ahead=1)
        self.handler = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> 'Stages':
        return self

    def __exit__(self, *error: Any) -> None:
        """Let no thread run on while the program ends."""
        signal.signal(signal.SIGINT, self.handler)
        stages = (self.frames, self.detected, self.drawn)
        for stage in stages:
            stage.close()
        for stage in stages:
            stage.join(PATIENCE)

    def end_on_interrupt(self) -> None:
        """Let Ctrl-C end the video; the next ends the program."""

        def end(*_: Any) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.frames.close()

        self.handler = signal.signal(signal.SIGINT, end)


def write(
    stages: Stages, file: Optional[VideoFile], bar: ProgressBar, args: Namespace
) -> List[float]:
    """Write and show the pictures.

    In place of frames that were dropped the picture before is written again, so that the video
    keeps the time.

    Returns:
        How old each was by then, in seconds since its frame was read.
    """
    ages, last = [], None
    for frame in stages.drawn:
        if file is not None:
            for _ in range(frame.number - last.number - 1 if last else 0):
                file.add(last.picture)
            file.add(frame.picture)
        if args.show:
            mmcv.imshow(frame.picture, 'video', args.wait_time)
        ages.append(time.perf_counter() - frame.read)
        last = frame
        bar.update()
    return ages


def process(video: Any, detect: Detect, args: Namespace) -> Tuple[List[float], int]:
    """Run all stages.

    Returns:
        What `write` returns, and how many frames were dropped.
    """
    fps = video.fps if 0 < video.fps <= LARGEST_FPS else DEFAULT_FPS
    bar = ProgressBar(max(video.frame_cnt, 0))
    with Stages(args, video, detect) as stages, ExitStack() as files:
        file = files.enter_context(VideoFile(args.out, fps)) if args.out else None
        if args.live:
            stages.end_on_interrupt()
        try:
            ages = write(stages, file, bar, args)
        finally:
            if args.show:
                cv2.destroyAllWindows()
    return ages, stages.frames.dropped


def latency(seconds: List[float]) -> str:
    """Percentiles for the reader."""
    p50, p95 = np.percentile(seconds, (50, 95)) * 1000
    return f'latency p50 {p50:.1f} ms, p95 {p95:.1f} ms'


def main() -> None:
    """Detect, draw and write."""
    args = parse_args()
    check_args(args)
    if args.out:
        check_writable(args.out)
    video = open_video(args.video, args.live)
    detect = Detect(build_model(args))
    begin = time.perf_counter()
    try:
        ages, dropped = process(video, detect, args)
    except Exception as error:
        reason = ' '.join(str(error).split()) or 'no reason given'
        raise SystemExit(f'\nerror: {type(error).__name__}: {reason}') from error
    if not ages:
        raise SystemExit(f'\nerror: {args.video} has no frame that can be read')
    count, total = len(ages), time.perf_counter() - begin
    if count < video.frame_cnt:
        print(f'\nwarning: {args.video} is damaged: {count} of {video.frame_cnt} frames were read')
    print(f'\n{count} frames at {count / total:.1f} frames/s; detection {latency(detect.seconds)}')
    if args.live:
        print(f'from camera to picture {latency(ages)}; {dropped} frames dropped')
    if args.out:
        print(f'video: {args.out}')


if __name__ == '__main__':
    run_tool(main)
