"""A user of one MM library has not installed the others."""

import subprocess
import sys

import pytest

LIBRARIES = {
    'mmdet': 'ZoomDetDataPreprocessor',
    'mmseg': 'ZoomSegDataPreProcessor',
    'mmdet3d': 'ZoomDet3DDataPreprocessor',
}
SCRIPT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {missing!r}:
            raise ModuleNotFoundError(f'No module named {{name}}', name=name)

sys.meta_path.insert(0, Missing())
import lzu_mm
from lzu_mm.registry import MODELS
assert not {missing!r} & set(sys.modules)
print(*lzu_mm.__all__)
"""


@pytest.mark.parametrize('library', LIBRARIES)
def test_one_library_is_enough(library):
    # MMDetection3D itself needs MMDetection.
    there = {library, 'mmdet'} if library == 'mmdet3d' else {library}
    script = SCRIPT.format(missing=set(LIBRARIES) - there)
    process = subprocess.run([sys.executable, '-W', 'ignore', '-c', script],
                             capture_output=True, text=True)  # fmt: skip
    assert process.returncode == 0, process.stderr
    names = process.stdout.split()
    assert {'UnzoomNeck', 'FixedSaliency', 'LearnedSaliency'} < set(names)
    for other, name in LIBRARIES.items():
        assert (name in names) == (other in there)


def test_the_geometry_needs_no_mm_library():
    script = """
import importlib.util, sys, types
root = importlib.util.find_spec('lzu_mm').submodule_search_locations
package = types.ModuleType('lzu_mm')
package.__path__ = list(root)
sys.modules['lzu_mm'] = package
import lzu_mm.warps
assert not {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmdet3d'} & set(sys.modules)
"""
    subprocess.run([sys.executable, '-c', script], check=True)
