"""Bases that are ours, by name."""

from importlib.metadata import PackageNotFoundError

import pytest
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from lzu_mm.engine import configs, load_config

from ..conftest import ROOT

EQUALISE = 'yolox/lzu-equalise_yolox-nano_gtsdb-0.25x.py'


def write(folder, base):
    path = folder / 'mine.py'
    path.write_text(f'_base_ = {base!r}\n')
    return path


def test_a_base_of_ours_is_found_by_name(tmp_path):
    mine = load_config(write(tmp_path, f'lzu_mm::{EQUALISE}'))
    assert mine.to_dict() == Config.fromfile(ROOT / 'configs' / EQUALISE).to_dict()


def test_stock_bases_are_found_as_ever(tmp_path):
    path = write(tmp_path, 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py')
    assert load_config(path).to_dict() == Config.fromfile(path).to_dict()


def test_a_base_that_is_not_there_is_named_and_mmengine_stays_as_it_was(tmp_path):
    stock = Config._get_cfg_path
    with pytest.raises(FileNotFoundError, match=r'none\.py: there is no'):
        load_config(write(tmp_path, 'lzu_mm::yolox/none.py'))
    assert Config._get_cfg_path is stock


def test_bases_of_mmseg_are_found_in_the_fork(tmp_path, monkeypatch):
    pytest.importorskip('mmseg')

    def distribution(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(configs, 'distribution', distribution)
    monkeypatch.setitem(MODULE2PACKAGE, 'mmseg', 'not-the-name-here')
    path = write(tmp_path, 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py')
    with pytest.raises(ModuleNotFoundError, match='not-the-name-here'):
        Config.fromfile(path)
    assert load_config(path).model.decode_head.type == 'PSPHead'
