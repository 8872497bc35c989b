"""Stages that overlap, and videos that are whole or not there."""

import threading

import cv2
import mmcv
import numpy as np
import pytest

from lzu_mm.video import Background, Camera, VideoFile, is_camera

from .test_faults.processes import full_disk


def test_stages_keep_order_and_overlap():
    # Each stage waits for the other: one after the other they would never end.
    first, second = threading.Event(), threading.Event()

    def numbers():
        yield 0
        assert first.wait(60)
        second.set()
        yield from range(1, 50)

    def squares(items):
        for item in items:
            if item == 0:
                first.set()
                assert second.wait(60)
            yield item**2

    stages = Background(squares(Background(numbers())), ahead=1)
    assert list(stages) == [n**2 for n in range(50)]


def test_an_error_comes_after_what_was_made_before_it():
    def items():
        yield 1
        raise ValueError('broken')

    outer = Background(n for n in Background(items()))
    assert next(outer) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match='broken'):
            next(outer)


def test_it_does_not_run_far_ahead():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    stage = Background(items(), ahead=2)
    assert next(stage) == 0
    stage.close()
    stage.join(60)
    # Taken, waiting, and in its hand.
    assert len(taken) <= 4
    waiting = list(stage)
    assert len(waiting) <= 2
    assert waiting == taken[1 : 1 + len(waiting)]


def test_the_oldest_are_dropped():
    done = threading.Event()

    def items():
        yield from range(10)
        done.set()

    stage = Background(items(), ahead=1, drop=True)
    assert done.wait(60)
    assert list(stage) == [9]
    assert stage.dropped == 9


def test_a_stage_that_is_closed_ends_though_its_source_does_not():
    silent = threading.Event()

    def items():
        yield 1
        silent.wait(60)

    stage = Background(items())
    assert next(stage) == 1
    stage.close()
    assert list(stage) == []
    silent.set()
    stage.join(60)


@pytest.mark.parametrize('source', ['0', '12', 'rtsp://user:word@host:554/1', 'RTSP://host/1'])
def test_cameras(source):
    assert is_camera(source)


@pytest.mark.parametrize('source', ['street.mp4', 'rtsp.mp4', 'https://host/street.mp4', '-1'])
def test_files_are_no_cameras(source):
    assert not is_camera(source)


def test_a_camera_gives_its_frames(tmp_path):
    path = tmp_path / 'stream.mjpeg'
    shades = (20, 120, 220)
    frames = [np.full((32, 48, 3), shade, np.uint8) for shade in shades]
    path.write_bytes(b''.join(cv2.imencode('.jpg', frame)[1].tobytes() for frame in frames))
    camera = Camera(str(path))
    assert camera.opened
    assert camera.width == 48
    assert [round(float(frame.mean())) for frame in camera] == list(shades)
    assert not Camera(str(tmp_path / 'none')).opened


def test_a_video_is_whole_or_not_there(tmp_path):
    picture = np.full((31, 47, 3), 90, np.uint8)
    path = tmp_path / 'new' / 'video.mp4'
    with VideoFile(path, 5) as file:
        file.add(picture)
        file.add(picture[:20])
    written = mmcv.VideoReader(str(path))
    assert (written.frame_cnt, written.fps, written.width, written.height) == (2, 5, 48, 32)

    before = path.read_bytes()

    def write(pictures, missing=0, error=None):
        with VideoFile(path, 5) as file:
            for _ in range(pictures):
                file.add(picture)
            file.count += missing
            if error is not None:
                raise error

    with pytest.raises(KeyError):
        write(1, error=KeyError('a stage failed'))
    with pytest.raises(OSError, match='disk full'):
        write(1, missing=1)
    write(0)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ['video.mp4']


def test_a_full_disk_leaves_the_video_that_was_there(tmp_path):
    path = tmp_path / 'video.mp4'
    path.write_text('old')
    noise = np.random.default_rng(0).integers(0, 255, (20, 96, 128, 3), np.uint8)

    def write():
        with VideoFile(path, 5) as file:
            for picture in noise:
                file.add(picture)

    with full_disk(20_000), pytest.raises(OSError, match='disk full'):
        write()
    assert path.read_text() == 'old'
    assert [each.name for each in tmp_path.iterdir()] == ['video.mp4']
