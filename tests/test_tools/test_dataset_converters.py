"""The dataset converters, on fabricated downloads and on a handful of real frames."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def convert(name, *arguments, ok=True):
    command = [sys.executable, f'tools/dataset_converters/{name}.py', *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == ok, done.stderr
    return done.stderr


@pytest.fixture
def download(tmp_path):
    """Frames of 40x30 around the border between training and test, as GTSDB's download has them."""
    folder = tmp_path / 'FullIJCNN2013'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for frame in (*range(7), 599, 600, 601):
        pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{frame:05}.ppm'), pixels)
    lines = [
        '00000.ppm;3;4;12;19;11',  # priority at the next crossing: danger
        '00000.ppm;0;0;39;29;6',  # end of the limit of 80: other
        '00005.ppm;1;1;1;1;40',  # roundabout: mandatory
        '00601.ppm;10;10;20;20;2',  # limit of 50: prohibitory
    ]
    (folder / 'gt.txt').write_text('\n'.join(lines) + '\n')
    return folder


def read(path):
    return json.loads(path.read_text())


def test_gtsdb_from_the_original_download(download, tmp_path):
    out = tmp_path / 'gtsdb'
    convert('gtsdb', download, out)
    train, test = read(out / 'train.json'), read(out / 'test.json')
    assert [image['id'] for image in train['images']] == [*range(7), 599]
    assert [image['id'] for image in test['images']] == [600, 601]
    assert {(image['height'], image['width']) for image in train['images']} == {(30, 40)}
    names = {c['id']: c['name'] for c in train['categories']}
    assert list(names.values()) == ['prohibitory', 'mandatory', 'danger', 'other']
    found = [
        (a['image_id'], names[a['category_id']], a['bbox'], a['area']) for a in train['annotations']
    ]
    # Corners are inclusive.
    assert found == [
        (0, 'danger', [3, 4, 10, 16], 160),
        (0, 'other', [0, 0, 40, 30], 1200),
        (5, 'mandatory', [1, 1, 1, 1], 1),
    ]
    assert [names[a['category_id']] for a in test['annotations']] == ['prohibitory']
    for image in (*train['images'], *test['images']):
        pixels = cv2.imread(str(out / 'images' / image['file_name']))
        assert (pixels == cv2.imread(str(download / f'{image["id"]:05}.ppm'))).all()


def test_gtsdb_tunes_on_every_sixth_training_frame(download, tmp_path):
    out = tmp_path / 'gtsdb'
    convert('gtsdb', download, out)
    assert [i['id'] for i in read(out / 'tune_val.json')['images']] == [5]
    assert [i['id'] for i in read(out / 'tune_train.json')['images']] == [0, 1, 2, 3, 4, 6, 599]
    assert [a['image_id'] for a in read(out / 'tune_val.json')['annotations']] == [5]


def test_gtsdb_converts_images_without_loss(download, tmp_path):
    out = tmp_path / 'gtsdb'
    convert('gtsdb', download, out, '--format', 'webp')
    for image in read(out / 'train.json')['images']:
        assert image['file_name'].endswith('.webp')
        pixels = cv2.imread(str(out / 'images' / image['file_name']))
        assert (pixels == cv2.imread(str(download / f'{image["id"]:05}.ppm'))).all()


def test_gtsdb_from_a_folder_of_converted_images(download, tmp_path):
    converted, out = tmp_path / 'png', tmp_path / 'gtsdb'
    converted.mkdir()
    for path in download.glob('*.ppm'):
        cv2.imwrite(str(converted / f'{path.stem}.png'), cv2.imread(str(path)))
    assert 'gt.txt' in convert('gtsdb', converted, out, ok=False)
    convert('gtsdb', converted, out, '--annotations', download / 'gt.txt')
    assert read(out / 'train.json')['images'][0] == dict(
        id=0, file_name='00000.png', width=40, height=30
    )


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('00000.ppm;1;2;3', 'line 1'),
        ('00000.ppm;9;2;3;4;1', 'no sign'),
        ('00000.ppm;1;2;3;4;43', 'no sign'),
        ('00099.ppm;1;2;3;4;1', '00099'),
    ],
)
def test_gtsdb_refuses_what_it_does_not_understand(download, tmp_path, line, message):
    (download / 'gt.txt').write_text(line + '\n')
    assert message in convert('gtsdb', download, tmp_path / 'gtsdb', ok=False)


def test_gtsdb_reproduces_the_annotations_of_real_frames(shared_data, tmp_path):
    """Converts real frames back from a gt.txt made of their boxes; their classes agree."""
    known = read(shared_data / 'gtsdb' / 'train.json')
    frames, out = tmp_path / 'frames', tmp_path / 'gtsdb'
    frames.mkdir()
    kinds = {'prohibitory': 1, 'mandatory': 38, 'danger': 11, 'other': 13}
    names = {c['id']: c['name'] for c in known['categories']}
    lines = []
    for image in known['images'][:7]:
        name = image['file_name']
        (frames / name).symlink_to(shared_data / 'gtsdb' / 'images' / name)
        for a in known['annotations']:
            if a['image_id'] == image['id']:
                x, y, w, h = a['bbox']
                corners = (x, y, x + w - 1, y + h - 1)
                kind = kinds[names[a['category_id']]]
                lines.append(';'.join(map(str, (name, *corners, kind))))
    (frames / 'gt.txt').write_text('\n'.join(lines))
    convert('gtsdb', frames, out)
    found = read(out / 'train.json')
    ids = {image['id'] for image in found['images']}
    assert found['images'] == known['images'][:7]
    assert found['categories'] == known['categories']
    assert found['annotations'] == [a for a in known['annotations'] if a['image_id'] in ids]


@pytest.fixture
def segnet(tmp_path):
    """CamVid as SegNet published it, a frame a split."""
    folder = tmp_path / 'CamVid'
    for split in ('train', 'val', 'test'):
        (folder / split).mkdir(parents=True)
        (folder / f'{split}annot').mkdir()
        pixels = np.full((36, 48, 3), (10, 120, 200), np.uint8)
        cv2.imwrite(str(folder / split / f'{split}_1.png'), pixels)
        labels = (np.arange(36 * 48).reshape(36, 48) % 12).astype(np.uint8)
        cv2.imwrite(str(folder / f'{split}annot' / f'{split}_1.png'), labels)
    return folder


def test_camvid_from_segnet(segnet, tmp_path):
    out = tmp_path / 'camvid'
    convert('camvid', segnet, out)
    image = cv2.imread(str(out / 'val' / 'val_1.jpg'))
    assert np.abs(image.astype(int) - (10, 120, 200)).max() <= 3
    labels = cv2.imread(str(out / 'valannot' / 'val_1.png'), cv2.IMREAD_UNCHANGED)
    assert (labels == np.arange(36 * 48).reshape(36, 48) % 12).all()


def test_camvid_refuses_coloured_labels_and_lonely_images(segnet, tmp_path):
    labels = segnet / 'testannot' / 'test_1.png'
    cv2.imwrite(str(labels), np.full((36, 48), 128, np.uint8))
    assert 'indices' in convert('camvid', segnet, tmp_path / 'camvid', ok=False)
    labels.unlink()
    assert 'test_1' in convert('camvid', segnet, tmp_path / 'camvid', ok=False)
