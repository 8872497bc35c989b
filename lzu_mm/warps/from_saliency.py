"""From a saliency map to a warp.

Convention: see :mod:`lzu_mm.warps.base`. Node i of an axis of n nodes stands at i/(n - 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_choice, check_flag, check_number
from .attraction import bilinear_knots, separable_knots
from .base import Warp
from .bilinear import BilinearWarp
from .compat import is_compiling
from .equalise import equalising_knots
from .magnification import bound_bilinear, bound_separable
from .separable import SeparableWarp

METHODS = ('attraction', 'equalise')
# Beyond these the knots of float32 lose their kernel, or their order.
FWHM = '[0.001, 1e6]'
MAGNIFICATION = '(1, 10000]'


def saliency_to_warp(
    saliency: Tensor,
    attraction_fwhm: float = 10,
    anti_crop: bool = True,
    separable: bool = True,
    max_magnification: float = 1000,
    method: str = 'attraction',
    uniform_share: float = 0.1,
) -> Warp:
    """Build the warp that magnifies where the saliency is high.

    By *attraction* (LZU, section 3) every knot is drawn towards the saliency around it
    (:mod:`lzu_mm.warps.attraction`). By *equalising*, which is ours, the saliency of an axis is its
    magnification (:mod:`lzu_mm.warps.equalise`). A warp is kept strictly monotone (separable) or
    convex (non-separable): one that would magnify more than ``max_magnification`` anywhere is
    blended with the identity by just as much as needed, which a saliency of ordinary contrast never
    meets. Saliency that is all zero counts as uniform, and uniform saliency gives the identity.

    Args:
        saliency: Where to look, shape (N, 1, h_S, w_S), finite and non-negative, h_S and w_S at
            least 2. Half precision is lifted to float32.
        attraction_fwhm: Full width at half maximum of the attraction kernel in saliency nodes,
            in [0.001, 1e6]. Larger is smoother.
        anti_crop: Map edges to edges, so that nothing is cropped.
        separable: One function per axis, from the marginals of the saliency.
        max_magnification: Largest local magnification of an axis, in (1, 10000].
        method: ``'attraction'`` or ``'equalise'``. The latter is separable, maps edges to edges and
            has no kernel: ``attraction_fwhm`` says nothing to it.
        uniform_share: With ``'equalise'``, the share a of the zoomed image that is spread evenly
            over the source, in (0, 1]: nothing is magnified less than a times.

    Returns:
        A batch of N invertible warps, differentiable with respect to the saliency.

    Raises:
        ValueError: On a wrong shape or parameter, or parameters that do not go together; on
            negative, NaN or infinite saliency. On an accelerator the values are checked by a
            device-side assertion, without a host synchronisation; under ``torch.compile`` they are
            not checked.

    Convention:
        Node (i, j) of the saliency stands at x = j/(w_S - 1), y = i/(h_S - 1) of the image content,
        so that the outer nodes lie on its edges.

    Example:
        >>> saliency = torch.full((1, 1, 31, 51), 0.1)
        >>> saliency[..., :10] = 1  # look to the left
        >>> warp = saliency_to_warp(saliency)
        >>> x = warp.to_source(torch.tensor([[[0.5, 0.5]]]))[0, 0, 0]
        >>> bool(x < 0.5)  # the middle of the zoomed image shows what lies further left
        True
    """
    _check_arguments(saliency, attraction_fwhm, max_magnification)
    _check_method(method, uniform_share, anti_crop, separable)
    saliency = saliency.to(torch.promote_types(saliency.dtype, torch.float32))
    _check_values(saliency)
    if method == 'equalise':
        knots = equalising_knots(saliency, uniform_share, max_magnification)
        return SeparableWarp(*knots, of_inverse=True)
    if separable:
        x, y = separable_knots(saliency, attraction_fwhm, anti_crop)
        return SeparableWarp(
            bound_separable(x, max_magnification), bound_separable(y, max_magnification)
        )
    plane = bilinear_knots(saliency, attraction_fwhm, anti_crop)
    return BilinearWarp(bound_bilinear(plane, max_magnification))


def _check_arguments(saliency: Tensor, fwhm: float, max_magnification: float) -> None:
    if saliency.dim() != 4 or saliency.shape[1] != 1 or min(saliency.shape[2:]) < 2:
        raise ValueError(
            'saliency must have shape (N, 1, h_S, w_S) with h_S and w_S at least 2, got '
            f'{tuple(saliency.shape)}'
        )
    if not saliency.is_floating_point():
        raise ValueError(f'saliency must be a floating point tensor, got {saliency.dtype}')
    check_number('attraction_fwhm', fwhm, FWHM)
    check_number('max_magnification', max_magnification, MAGNIFICATION)


def _check_method(method: str, uniform_share: float, anti_crop: bool, separable: bool) -> None:
    check_choice('method', method, METHODS)
    check_flag('anti_crop', anti_crop)
    check_flag('separable', separable)
    if method != 'equalise':
        return
    check_number('uniform_share', uniform_share, '(0, 1]')
    if not (separable and anti_crop):
        raise ValueError(
            "method='equalise' warps each axis by itself and maps edges to edges: set "
            "separable=True and anti_crop=True, or method='attraction'"
        )


def _check_values(saliency: Tensor) -> None:
    if is_compiling():
        return
    values = saliency.detach()
    # NaN fails both comparisons.
    valid = ((values >= 0) & (values < float('inf'))).all()
    message = 'saliency must be finite and non-negative everywhere'
    if values.device.type == 'cpu':
        if not valid:
            raise ValueError(message)
    else:
        torch._assert_async(valid, message)
