"""benchmarks/torchvision_gtsdb.py on a few small frames, where its libraries import."""

import json

import pytest
import torch

from lzu_mm.warps import saliency_to_warp
from report.results import read_runs

try:
    import torchvision_gtsdb as script
    from torchvision.io import write_png
    from torchvision.models import mobilenet_v2
# torchvision does not import beside every CPU build of torch.
except (ImportError, RuntimeError) as error:
    pytest.skip(f'takes torchvision and pycocotools: {error}', allow_module_level=True)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Frames of 80x136 with a sign each, all in one place, whose category is 7."""
    monkeypatch.setattr(script, 'SIZE', (128, 256))
    (tmp_path / 'images').mkdir()
    for split, count in (('train', 4), ('test', 2)):
        images = [
            dict(id=i, file_name=f'{split}{i}.png', width=136, height=80) for i in range(count)
        ]
        for image in images:
            picture = torch.randint(0, 256, (3, 80, 136), dtype=torch.uint8)
            write_png(picture, str(tmp_path / 'images' / image['file_name']))
        signs = [
            dict(id=i + 1, image_id=i, category_id=7, bbox=[90, 30, 16, 16], area=256, iscrowd=0)
            for i in range(count)
        ]
        content = dict(images=images, annotations=signs, categories=[dict(id=7, name='stop')])
        (tmp_path / f'{split}.json').write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize('zoom', ['uniform', 'equalise'])
def test_it_trains_tests_and_writes_the_run_down(data, zoom, monkeypatch, capsys):
    results = data / 'runs.jsonl'
    options = dict(zoom=zoom, data=data, results=results, epochs=2, batch_size=2, device='cpu')
    words = [f'--{name.replace("_", "-")}={value}' for name, value in options.items()]
    monkeypatch.setattr('sys.argv', ['torchvision_gtsdb.py', *words])
    script.main()
    (run,) = read_runs(results)
    assert run.config == f'{zoom}_torchvision-retinanet_mobilenet-v2_gtsdb-0.25x'
    assert 0 <= run.metrics['coco/bbox_mAP'] <= 1
    assert 'step 4/4' in capsys.readouterr().out


def test_boxes_and_categories_are_those_of_the_file(data):
    frames = script.Frames(data, 'test', 'cpu')
    target = frames.target(0)
    assert target['boxes'].tolist() == [[90, 30, 106, 46]]
    assert target['labels'].tolist() == [0]

    class Perfect(torch.nn.Module):
        def forward(self, images):
            return [{**target, 'scores': torch.ones(1)}]

    metrics = script.evaluate(Perfect(), frames)
    assert metrics['coco/bbox_mAP'] == pytest.approx(1)


def test_the_zoom_looks_at_the_signs_of_the_training_frames(data):
    saliency = script.centres(script.Frames(data, 'train', 'cpu'))
    warp = saliency_to_warp(saliency[None, None], method='equalise')
    sign = torch.tensor([[[90 / 136, 30 / 80], [106 / 136, 46 / 80]]])
    x, y = (warp.to_zoomed(sign).diff(dim=1) / sign.diff(dim=1)).flatten().tolist()
    assert x > 1.5
    assert y > 1.5


def test_weights_of_mm_fit_in_their_order_and_others_are_refused(tmp_path):
    torch.manual_seed(0)
    state = mobilenet_v2().features.state_dict()
    renamed = {f'layer{i}.{n}': v for i, (n, v) in enumerate(state.items())}
    torch.save({'state_dict': renamed}, tmp_path / 'mm.pth')
    body = script.backbone_of(tmp_path / 'mm.pth').body
    assert torch.equal(body['13'].conv[0][0].weight, state['13.conv.0.0.weight'])
    assert torch.equal(body['1'].conv[0][1].running_var, state['1.conv.0.1.running_var'])
    assert [n for n in '0123456' if any(p.requires_grad for p in body[n].parameters())] == [*'456']
    renamed.popitem()
    renamed.popitem()
    torch.save(renamed, tmp_path / 'short.pth')
    with pytest.raises(SystemExit, match='does not hold a MobileNetV2'):
        script.backbone_of(tmp_path / 'short.pth')
