"""Importing the package is free, and each library is optional: missing, or installed but broken.

What is imported, and what that changes, shows in fresh processes alone.
"""

import pkgutil
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.utils import get_installed_path

import lzu_mm
from lzu_mm import registry

HOSTS = {
    'mmdet': 'ZoomDetDataPreprocessor',
    'mmseg': 'ZoomSegDataPreProcessor',
    'mmdet3d': 'ZoomDet3DDataPreprocessor',
}
# Replaces the import of some packages by an error, which is that of a missing one by default.
WITHOUT = """
import sys

class Without:
    def __init__(self, *packages, error=None):
        self.packages, self.error = packages, error

    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in self.packages:
            raise self.error or ModuleNotFoundError(f'No module named {name!r}', name=name)

def without(*packages, error=None):
    sys.meta_path.insert(0, Without(*packages, error=error))
"""


def run(script, **names):
    """Run a script in a fresh process and give back what it prints."""
    values = ''.join(f'{name} = {value!r}\n' for name, value in names.items())
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', WITHOUT + values + textwrap.dedent(script)],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_importing_the_package_imports_nothing_else():
    loaded = run("""
        before = set(sys.modules)
        import lzu_mm
        assert lzu_mm.__version__
        assert {'UnzoomNeck', 'ZoomDet3DDataPreprocessor', 'warps'} <= set(dir(lzu_mm))
        print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))
    """).split()
    standard = sys.stdlib_module_names if sys.version_info >= (3, 10) else set(loaded)
    assert set(loaded) - standard == {'lzu_mm'} - standard
    assert not {'torch', 'numpy', 'cv2', 'mmengine', 'mmcv', *HOSTS} & set(loaded)


def test_importing_the_package_changes_nothing():
    run("""
        import torch
        from mmengine.registry import MODELS
        load, children = torch.load, dict(MODELS.children)
        import lzu_mm
        assert torch.load is load
        assert MODELS.children == children
        assert 'lzu_mm.registry' not in sys.modules
    """)


def test_the_geometry_needs_torch_alone():
    run("""
        without('numpy', 'cv2', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmdet3d')
        import torch
        import lzu_mm
        from lzu_mm.warps import unzoom_feature, zoom_image
        saliency = torch.rand(1, 1, 9, 16, requires_grad=True)
        for separable in (True, False):
            warp = lzu_mm.warps.saliency_to_warp(saliency, separable=separable)
            zoomed = zoom_image(torch.rand(3, 90, 160), warp, (45, 80))[None]
            unzoom_feature(zoomed, warp, [(45, 80)], (45, 80)).sum().backward()
        assert saliency.grad.isfinite().all()
        zoomed = lzu_mm.nn.ZoomedBackbone(torch.nn.Conv2d(3, 4, 3), lzu_mm.nn.horizon_saliency(0.4))
        zoomed(torch.rand(1, 3, 64, 64))
    """)


STOCK = {
    'mmdet': ('retinanet/retinanet_r50_fpn_1x_coco.py', dict(inner='FPN')),
    'mmseg': ('pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py', {}),
    'mmdet3d': (
        'fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py',
        dict(inner='mmdet.FPN'),
    ),
}


@pytest.mark.parametrize('library', HOSTS)
def test_one_library_and_a_config_are_enough(library, tmp_path):
    base, neck = STOCK[library]
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency'))
    model = dict(
        data_preprocessor=dict(type=f'lzu_mm.{HOSTS[library]}', zoom=zoom),
        neck=dict(type='lzu_mm.UnzoomNeck', **neck),
        backbone=dict(init_cfg=None),
    )
    model.update(dict(pretrained=None) if library == 'mmseg' else {})
    config = tmp_path / 'config.py'
    # By its path: the fork does not find mmseg:: without our tools.
    stock = Path(get_installed_path(library)) / '.mim' / 'configs' / base
    config.write_text(
        f"_base_ = ['{stock}']\n"
        "custom_imports = dict(imports=['lzu_mm'], allow_failed_imports=False)\n"
        f'model = {model}\n'
    )
    # MMDetection3D itself needs MMDetection.
    missing = sorted(set(HOSTS) - {library} - ({'mmdet'} if library == 'mmdet3d' else set()))
    output = run(
        """
        without(*missing)
        from importlib import import_module
        apis = import_module(f'{library}.apis')
        assert 'lzu_mm' not in sys.modules
        init = apis.init_detector if library == 'mmdet' else apis.init_model
        model = init(path, None, device='cpu')
        assert not set(missing) & set(sys.modules)
        print('built', type(model.data_preprocessor).__name__, type(model.neck).__name__)
        """,
        library=library,
        missing=missing,
        path=str(config),
    )
    assert f'built {HOSTS[library]} UnzoomNeck' in output


# MMSegmentation and MMDetection3D import MMDetection, and do not survive when it is broken.
@pytest.mark.parametrize(
    ('broken', 'others'), [('mmdet3d', ['mmdet']), ('mmseg', ['mmdet']), ('mmdet', [])]
)
def test_a_broken_library_breaks_nobody_else(broken, others):
    run(
        """
        reason = AssertionError('MMCV==2.3.6 is used but incompatible')
        without(broken, error=reason)
        import lzu_mm
        from mmengine.registry import MODELS
        for name in ('UnzoomNeck', 'FixedSaliency', *others):
            assert MODELS.get(f'lzu_mm.{name}') is getattr(lzu_mm, name)
        asking = f"MODELS.get('lzu_mm.{name_of_broken}')", f'from lzu_mm import {name_of_broken}'
        for ask in asking:
            try:
                exec(ask)
            except ImportError as error:
                assert f'{name_of_broken} cannot be imported' in str(error)
                assert 'AssertionError: MMCV==2.3.6 is used but incompatible' in str(error)
                assert error.__cause__ is reason
            else:
                raise AssertionError('the broken library goes unnoticed')
        """,
        broken=broken,
        others=[HOSTS[host] for host in others],
        name_of_broken=HOSTS[broken],
    )


def test_classes_are_types_of_pure_python_configs(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        'from lzu_mm import UniformSaliency, ZoomDetDataPreprocessor\n'
        'zoom = dict(scale=0.5, saliency=dict(type=UniformSaliency))\n'
        'data_preprocessor = dict(type=ZoomDetDataPreprocessor, zoom=zoom)\n'
    )
    cfg = Config.fromfile(config, lazy_import=True)
    built = MODELS.build(cfg.data_preprocessor)
    assert type(built) is lzu_mm.ZoomDetDataPreprocessor
    assert type(built.saliency) is lzu_mm.UniformSaliency


def test_whatever_is_registered_is_found_and_exported():
    for module in pkgutil.walk_packages(lzu_mm.__path__, 'lzu_mm.'):
        # Kernels need Triton.
        if not module.name.startswith(('lzu_mm.engine.stock_tools', 'lzu_mm.warps.kernels.')):
            import_module(module.name)
    for name in registry.__all__:
        for component, kind in getattr(registry, name).module_dict.items():
            if kind.__module__.startswith('lzu_mm.'):
                assert getattr(lzu_mm, component) is kind
                assert getattr(registry, name).parent.get(f'lzu_mm.{component}') is kind


def test_what_is_exported_is_exported_by_its_room_too():
    for name in set(lzu_mm.__all__) - {'__version__'}:
        room = getattr(lzu_mm, name).__module__.split('.')[1]
        assert name in getattr(lzu_mm, room).__all__
    for room in ('data_preprocessors', 'datasets', 'heads', 'hooks', 'necks', 'saliency'):
        assert set(getattr(lzu_mm, room).__all__) <= set(lzu_mm.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'lzu_mm' has no attribute 'UnzoomNeq'"):
        lzu_mm.UnzoomNeq  # noqa: B018
