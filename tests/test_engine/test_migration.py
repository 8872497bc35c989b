"""docs/migrate.md: checkpoints of MMDetection3D 1.0 for FCOS3D, as the LZU authors trained it."""

import re

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import _load_checkpoint_to_model

from lzu_mm.engine import CheckpointError, check_weights, load_config, read_checkpoint
from lzu_mm.saliency import save_saliency

from ..conftest import ROOT
from ..models import scoped

PAGE = (ROOT / 'docs/migrate.md').read_text()


@pytest.fixture
def model(tmp_path, monkeypatch):
    """That of the config on the page."""
    scoped('mmdet3d')
    monkeypatch.chdir(tmp_path)
    save_saliency('data/saliency/nuscenes.npz', torch.ones(27, 48), {})
    (tmp_path / 'theirs.py').write_text(re.search(r'```python\n(.*?)```', PAGE, re.DOTALL)[1])
    return MODELS.build(load_config(tmp_path / 'theirs.py').model)


def test_weights_of_the_old_names_are_taken_as_they_are(model, tmp_path):
    """Those of a stock FCOS3D, and some that belong to a grid generator."""
    assert model.data_preprocessor.zoom.align_corners
    stock = MODELS.build(
        load_config(ROOT / 'configs/fcos3d/fcos3d_r50-dcn_fpn_nus-mono3d.py').model
    )
    state = {**stock.state_dict(), 'grid_generator.filter': torch.ones(1, 1, 53, 53)}
    meta = dict(epoch=12, iter=40, mmdet_version='2.25.0', CLASSES=('car', 'truck'))
    torch.save(dict(meta=meta, state_dict=state), tmp_path / 'theirs.pth')
    checkpoint = read_checkpoint(str(tmp_path / 'theirs.pth'))
    check_weights(model, checkpoint, 'theirs.pth')
    _load_checkpoint_to_model(model, checkpoint)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    del checkpoint['state_dict']['bbox_head.conv_cls.weight']
    with pytest.raises(CheckpointError, match=r'lacks 1 of .* bbox_head\.conv_cls\.weight'):
        check_weights(model, checkpoint, 'theirs.pth')
