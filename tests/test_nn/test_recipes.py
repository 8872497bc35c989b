"""The recipes of docs/any_torch_model.md, run as they stand, where their libraries import."""

import re
from pathlib import Path

import pytest
import torch

from lzu_mm.nn import remove_zoom_, zoom_

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'any_torch_model.md'
RECIPES = dict(re.findall(r'```python\n# recipe: ([^\n]+)\n(.*?)```', PAGE.read_text(), re.DOTALL))
NEEDS = {
    'torchvision detectors': 'torchvision',
    'torchvision segmentation': 'torchvision',
    'transformers DETR': 'transformers',
    'transformers Mask2Former': 'transformers',
    'transformers detectors': 'transformers',
    'transformers segmentation': 'transformers',
    'timm': 'timm',
}


def test_all_recipes_are_run():
    assert set(RECIPES) == set(NEEDS)


# What the recipes zoom in place.
PLACES = {
    'transformers DETR': 'model.backbone',
    'transformers Mask2Former': 'model.pixel_level_module.encoder',
    'transformers detectors': 'model.backbone',
}


def run(name):
    """What a recipe leaves, where its library imports."""
    try:
        __import__(NEEDS[name])
    # torchvision does not import beside every CPU build of torch.
    except (ImportError, RuntimeError) as error:
        pytest.skip(f'needs {NEEDS[name]}: {error}')
    found = {}
    exec(compile(RECIPES[name], str(PAGE), 'exec'), found)
    return found


@pytest.mark.parametrize('name', RECIPES)
def test_recipe(name):
    found = run(name)
    loss = sum(found['losses'].values()) if 'losses' in found else found.get('loss')
    if loss is not None:
        loss.backward()
        first = next(p for p in found['model'].parameters() if p.requires_grad)
        assert torch.isfinite(loss)
        assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize('name', PLACES)
def test_uniform_at_full_scale_is_the_model_to_the_bit(name):
    model, images = run(name)['model'].eval(), torch.rand(1, 3, 192, 320)
    zoomed = model(images)
    remove_zoom_(model, PLACES[name])
    stock = model(images)
    zoom_(model, PLACES[name], 'uniform', scale=1)
    for own, expected, other in zip(*(out.to_tuple() for out in (model(images), stock, zoomed))):
        if isinstance(own, torch.Tensor):
            assert torch.equal(own, expected)
            assert own.shape != other.shape or not torch.equal(own, other)


def test_the_switches_run_as_they_stand(tmp_path, monkeypatch):
    from lzu_mm.saliency.files import save_saliency

    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'saliency').mkdir(parents=True)
    save_saliency('data/saliency/street.npz', torch.rand(31, 51), {})
    model = torch.nn.Sequential()
    model.backbone = torch.nn.Conv2d(3, 4, 3, 4)
    images = torch.rand(1, 3, 64, 96)
    expected = model.backbone(images)
    first, second = re.findall(r'```python\n(from.*?)```', PAGE.read_text(), re.DOTALL)
    exec(second, dict(model=model))
    assert torch.equal(model.backbone(images), expected)
    exec(first, dict(model=model))
    assert model.backbone(images).shape == (1, 4, 8, 12)
