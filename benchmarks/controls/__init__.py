"""What a user would do instead of zooming, at equal cost: crop a band, or slice the image.

Configs import it by ``custom_imports``, so that the repository's root has to be on the path:
``benchmarks/experiment.py`` puts it there, elsewhere ``PYTHONPATH=.`` does.
"""

from .crop import CropBox, CroppedCocoMetric
from .slices import RandomSlice, SlicedTTA

__all__ = ['CropBox', 'CroppedCocoMetric', 'RandomSlice', 'SlicedTTA']
