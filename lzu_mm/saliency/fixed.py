"""Fixed saliency S_D: one map for a whole dataset, read from a file."""

from __future__ import annotations

from pathlib import Path

from ..registry import MODELS
from .files import load_saliency
from .whole_image import WholeImageSaliency


@MODELS.register_module()
class FixedSaliency(WholeImageSaliency):
    """Looks where objects were in the training set (S_D of FOVEA and LZU).

    The map belongs to the whole image: it follows the image's flip, and a cropped image is refused.

    Args:
        path: A saliency file, ``.npz`` or ``.npy``; ``tools/compute_saliency.py`` writes one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds no saliency map.
    """

    def __init__(self, path: str | Path) -> None:
        if not isinstance(path, (str, Path)):
            raise ValueError(f'saliency.path must be the path of a saliency file, got {path!r}')
        super().__init__(load_saliency(path)[0])
