"""The ``zoom`` entry of a zoom data preprocessor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_choice, check_config, check_flag, check_number, check_size
from ..warps.from_saliency import FWHM, MAGNIFICATION, METHODS
from ..warps.zoom import zoomed_size

SCALES = '(0, 4]'
_FLAGS = ('anti_crop', 'separable', 'align_corners', 'antialias', 'train_only')
_LARGEST = 65536  # pixels of a side


@dataclass(frozen=True)
class ZoomSettings:
    """How to zoom, as written in a config.

    Args:
        saliency: Config of a saliency module, such as ``dict(type='lzu_mm.FixedSaliency',
            path='data/saliency/argoverse_hd.npz')``.
        scale: Ratio of each side of the zoomed image to the source image, in (0, 4].
        size: (h, w) of the zoomed image in pixels, instead of ``scale``; or ``'auto'``, which keeps
            the pixels that ``scale`` leaves and chooses the aspect at which the objects of the
            saliency map keep theirs on average.
        method: How saliency becomes a warp: ``'attraction'``, the authors', or ``'equalise'``,
            ours, which magnifies an axis by its saliency (:mod:`lzu_mm.warps.equalise`).
        uniform_share: With ``'equalise'``, the share of the zoomed image that is spread evenly, in
            (0, 1]: the smallest magnification.
        attraction_fwhm: Full width at half maximum of the attraction kernel, in saliency nodes.
        anti_crop: Map edges to edges, so that nothing is cropped.
        separable: One function per axis instead of one for the plane.
        align_corners: Put pixel centres at the ends of the axes, as the authors of LZU did.
        max_magnification: Bound of the local magnification of an axis, in (1, 10000]: float32 holds
            no steeper warp without folds.
        antialias: Where the zoom minifies, average over the source pixels that a pixel stands for
            instead of taking the nearest; needs ``separable`` and no ``align_corners``.
        labels: How labels follow the image: ``'resized'``, as for a uniform resize, since features
            are unzoomed (LZU); or ``'warped'``, through the warp, by which predictions come back,
            while features stay in the zoomed frame (LZ, FOVEA, LDS).
        train_prob: Probability of zooming a batch in training, in [0, 1]; the others are resized
            uniformly.
        train_only: Resize uniformly at test (Instance-Warp, at no cost there).

    Raises:
        ValueError: If not exactly one of ``scale`` and ``size`` is given, or one is out of range.
    """

    saliency: dict[str, Any]
    scale: float | None = None
    size: tuple[int, int] | str | None = None
    method: str = 'attraction'
    uniform_share: float = 0.1
    attraction_fwhm: float = 10
    anti_crop: bool = True
    separable: bool = True
    align_corners: bool = False
    max_magnification: float = 1000
    antialias: bool = False
    labels: str = 'resized'
    train_prob: float = 1
    train_only: bool = False

    def __post_init__(self) -> None:
        if (self.scale is None) == (self.size in (None, 'auto')):
            raise ValueError(
                "zoom takes scale (a ratio), size (h, w), or scale with size='auto': got "
                f'zoom.scale={self.scale}, zoom.size={self.size}'
            )
        self._check_types()
        self._check_method()
        if self.antialias and (self.align_corners or not self.separable):
            raise ValueError(
                'zoom.antialias=True needs zoom.separable=True and zoom.align_corners=False: set '
                'these, or zoom.antialias=False'
            )
        if self.labels == 'warped' and self.align_corners:
            raise ValueError(
                "zoom.labels='warped' places labels by pixel areas: set zoom.align_corners=False"
            )

    def _check_types(self) -> None:
        check_config('zoom.saliency', self.saliency)
        for name in _FLAGS:
            check_flag(f'zoom.{name}', getattr(self, name))
        if self.scale is not None:
            check_number('zoom.scale', self.scale, SCALES)
        if self.size not in (None, 'auto'):
            meaning = "'auto' beside zoom.scale, or (h, w)"
            check_size('zoom.size', self.size, f'[1, {_LARGEST}]', meaning)
        check_choice('zoom.method', self.method, METHODS)
        check_choice('zoom.labels', self.labels, ('resized', 'warped'))
        check_number('zoom.train_prob', self.train_prob, '[0, 1]')
        check_number('zoom.uniform_share', self.uniform_share, '(0, 1]')
        check_number('zoom.attraction_fwhm', self.attraction_fwhm, FWHM, ' saliency nodes')
        check_number('zoom.max_magnification', self.max_magnification, MAGNIFICATION)

    def _check_method(self) -> None:
        if self.method == 'attraction':
            if self.uniform_share != 0.1:
                raise ValueError("zoom.uniform_share is for zoom.method='equalise'")
            return
        if not (self.separable and self.anti_crop) or self.attraction_fwhm != 10:
            raise ValueError(
                "zoom.method='equalise' warps each axis by itself, maps edges to edges and has no "
                'kernel: leave out zoom.separable, zoom.anti_crop and zoom.attraction_fwhm'
            )

    def output_size(
        self, source: tuple[int, int], aspect: tuple[float, float] = (1, 1)
    ) -> tuple[int, int]:
        """Size of the zoomed image.

        Args:
            source: (h, w) of the source image.
            aspect: Factors of ``scale`` along (y, x), for ``size='auto'``.

        Returns:
            (h, w) of the zoomed image, each at least 1.
        """
        if self.scale is None:
            assert isinstance(self.size, (tuple, list))
            return int(self.size[0]), int(self.size[1])
        return zoomed_size(source, self.scale, aspect)

    def warp_options(self) -> dict[str, Any]:
        """Keyword arguments for :func:`lzu_mm.warps.saliency_to_warp`."""
        return {
            'attraction_fwhm': self.attraction_fwhm,
            'anti_crop': self.anti_crop,
            'separable': self.separable,
            'max_magnification': self.max_magnification,
            'method': self.method,
            'uniform_share': self.uniform_share,
        }
