"""A narrow map of where objects stand: the histogram of their centres, slightly blurred.

The equalising warp magnifies an axis by its share of saliency, so that the best map is the density
of the objects itself: its mean log magnification over new objects is their log-likelihood. The blur
is therefore chosen by cross-validation, for each axis: the one under which held-out centres are
most likely.

Convention: cell (i, j) of the map covers an h_S-th by a w_S-th of the image; centres are (x, y) in
shares of the image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checks import check_grid_shape, check_number

__all__ = ['CentreSaliency', 'best_blur', 'blur']

_BLURS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
_FOLDS = 5


class CentreSaliency:
    """The density of the centres of boxes, added up image by image.

    Args:
        grid_shape: (h_S, w_S) of the map.
        sigma: Standard deviation of the blur in cells, (along y, along x), each above 0; None
            chooses them by cross-validation over images.
        uniform_share: a of the warp that the map is for, see :mod:`lzu_mm.warps.equalise`; what the
            blur is chosen for.
    """

    def __init__(
        self,
        grid_shape: tuple[int, int] = (31, 51),
        sigma: tuple[float, float] | None = None,
        uniform_share: float = 0.1,
    ) -> None:
        self.grid_shape = check_grid_shape(grid_shape, 'grid_shape')
        for extent in sigma or ():
            check_number('sigma', extent, '(0, inf)', ' cells')
        check_number('uniform_share', uniform_share, '(0, 1]')
        self.sigma = sigma
        self.uniform_share = uniform_share
        self.count = 0
        self._folds = torch.zeros(_FOLDS, *grid_shape, dtype=torch.float64)
        self._images = 0

    def add(self, boxes: Tensor, image_size: tuple[int, int]) -> None:
        """Add the boxes of one image.

        Args:
            boxes: (K, 4) as (x1, y1, x2, y2), pixels. Those that are not finite, or whose centre
                lies outside the image, are left out.
            image_size: (h, w) of that image, pixels.
        """
        centres = (boxes[:, :2] + boxes[:, 2:]).double() / 2 / torch.tensor(image_size[::-1])
        centres = centres[((centres >= 0) & (centres < 1)).all(dim=1)]
        h, w = self.grid_shape
        cells = (centres[:, 1] * h).long() * w + (centres[:, 0] * w).long()
        # Objects of one image are alike: they are held out together.
        fold = self._folds[self._images % _FOLDS]
        fold += torch.bincount(cells, minlength=h * w).view(h, w)
        if len(boxes):
            self._images += 1
        self.count += len(centres)

    def saliency(self) -> Tensor:
        """The map of all boxes so far: (h_S, w_S) float32, summing to 1; uniform without any."""
        if self.count == 0:
            return torch.full(self.grid_shape, 1 / (self.grid_shape[0] * self.grid_shape[1]))
        if self.sigma is None:
            rows, columns = (self._folds.sum(dim=axis) for axis in (2, 1))
            self.sigma = (
                best_blur(rows, self.uniform_share),
                best_blur(columns, self.uniform_share),
            )
        counts = blur(blur(self._folds.sum(dim=0), self.sigma[1]).T, self.sigma[0]).T
        return (counts / counts.sum()).float()


def best_blur(folds: Tensor, uniform_share: float) -> float:
    """The blur of a histogram under which held-out samples are most likely.

    Args:
        folds: Counts in the cells of an axis, by fold, shape (folds, n).
        uniform_share: Share of the density that is uniform, in (0, 1].

    Returns:
        Standard deviation in cells.
    """
    gains = []
    for sigma in _BLURS:
        seen = blur(folds.sum(dim=0) - folds, sigma)
        mean = seen.mean(dim=1, keepdim=True)
        density = torch.where(mean > 0, seen / mean, 1.0)
        gains.append((folds * ((1 - uniform_share) * density + uniform_share).log()).sum())
    return _BLURS[int(torch.stack(gains).argmax())]


def blur(values: Tensor, sigma: float) -> Tensor:
    """Blur the last axis by a Gaussian, reflected at the ends so that no mass is lost.

    Args:
        values: Shape (K, n).
        sigma: Standard deviation in cells, above 0.

    Returns:
        Shape (K, n).
    """
    count = values.shape[-1]
    reach = min(max(int(4 * sigma + 0.5), 1), count)
    offset = torch.arange(-reach, reach + 1, dtype=values.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    # Half-sample reflection: cell -1 is cell 0 again.
    padded = torch.cat((values[:, :reach].flip(1), values, values[:, count - reach :].flip(1)), 1)
    return F.conv1d(padded[:, None], (kernel / kernel.sum())[None, None])[:, 0]
