"""What the metainfo of a sample says in pixels of its image, and how that follows the zoom.

The keys that the pipelines of MMDetection, MMSegmentation, MMDetection3D and MMYOLO hand on, and
what heads, models and evaluators make of them. Features lie as if the image had been resized
uniformly, so all pixels scale alike.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable, Mapping, Tuple

import numpy as np
import torch
from torch import Tensor

Ratio = Tuple[float, float]


def follow_zoom(metainfo: Mapping[str, Any], ratio: Ratio) -> dict[str, Any]:
    """What changes in the metainfo of an image that is resized.

    Args:
        metainfo: Of the source image; left as it is.
        ratio: Of the zoomed image to the source, (x, y).

    Returns:
        The entries in pixels, but for the sizes of the image, which the preprocessors set.
    """
    followed = {}
    for key, value in metainfo.items():
        if key not in RULES:
            _warn_unknown(key, value)
            continue
        rule = RULES[key]
        if rule is not None and value is not None:
            followed[key] = rule(value, ratio)
    return followed


def scale_rows(matrix: Any, ratio: Ratio) -> Any:
    """Scale the x and y rows of matrices that map to pixels, (..., 3 or 4, n)."""
    return _times(matrix, np.array(ratio)[:, None], np.s_[..., :2, :])


def _scale_sides(sides: Any, ratio: Ratio) -> Any:
    """(top, bottom, left, right)."""
    return _times(sides, np.array([ratio[1]] * 2 + [ratio[0]] * 2), np.s_[...])


def _scale_padding(sides: Any, ratio: Ratio) -> tuple[int, ...]:
    """(left, right, top, bottom), by which logits are cut."""
    factors = [ratio[0]] * 2 + [ratio[1]] * 2
    return tuple(round(float(side) * factor) for side, factor in zip(sides, factors))


def _scale_offset(offset: Any, ratio: Ratio) -> Any:
    """(x, y)."""
    return _times(offset, np.array(ratio), np.s_[...])


def _times(given: Any, factors: np.ndarray, where: Any) -> Any:
    """The product, kept in the kind of container it came in; floating point at least."""
    values = np.array(given.cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
    values[where] *= factors
    if isinstance(given, Tensor):
        return given.new_tensor(values, dtype=None if given.is_floating_point() else torch.float)
    if isinstance(given, np.ndarray):
        return values.astype(given.dtype if given.dtype.kind == 'f' else np.float32)
    return type(given)(values.tolist())


# None: nothing in pixels of the image that the network sees.
RULES: dict[str, Callable[[Any, Ratio], Any] | None] = {
    # Set by the preprocessors, ours or the stock ones, for the zoomed image.
    **dict.fromkeys(
        ('img_shape', 'scale_factor', 'pad_shape', 'batch_input_shape', 'input_shape'), None
    ),
    # CenterNet, CornerNet: where RandomCenterCropPad has put the image; taken from boxes.
    'border': _scale_sides,
    # MMYOLO: LetterResize; taken from boxes.
    'pad_param': _scale_sides,
    # Semi-supervised detectors: from the original to the view of a teacher or student.
    'homography_matrix': scale_rows,
    # MMYOLO: the same, of its affine transforms.
    'warp_matrix': scale_rows,
    # Segmentors: cut off logits.
    'padding_size': _scale_padding,
    'img_padding_size': _scale_padding,
    # MMDetection3D: models that look up features of points.
    'img_crop_offset': _scale_offset,
    'crop_offset': _scale_offset,
    # The original, which predictions return to.
    **dict.fromkeys(('ori_shape', 'ori_cam2img', 'ori_lidar2img', 'instances', 'gt_masks'), None),
    # Cameras: ZoomDet3DDataPreprocessor handles them. No monocular model reads the others.
    **dict.fromkeys(('cam2img', 'trans_mat', 'lidar2img', 'depth2img', 'resize_img_shape'), None),
    # Poses and points, in metres.
    **dict.fromkeys(
        (
            'lidar2cam',
            'cam2global',
            'ego2global',
            'axis_align_matrix',
            'pcd_trans',
            'pcd_scale_factor',
            'pcd_rotation',
            'pcd_rotation_angle',
            'pcd_horizontal_flip',
            'pcd_vertical_flip',
            'transformation_3d_flow',
            'num_pts_feats',
            'box_mode_3d',
            'box_type_3d',
            'sweep_img_metas',
        ),
        None,
    ),
    # Names, numbers, texts, colours.
    **dict.fromkeys(
        (
            'img_id',
            'image_id',
            'img_path',
            'seg_map_path',
            'depth_map_path',
            'lidar_path',
            'sample_idx',
            'context_name',
            'timestamp',
            'video_id',
            'frame_id',
            'video_length',
            'ori_video_length',
            'num_ref_frames',
            'num_views',
            'flip',
            'flip_direction',
            'affine_aug',
            'img_norm_cfg',
            'reduce_zero_label',
            'category_id',
            'dataset_mode',
            'text',
            'caption_prompt',
            'custom_entities',
            'tokens_positive',
            'token_positive_map',
            'phrases',
            'phrase_ids',
            'sent_ids',
            'image_level_labels',
            'pitch',
        ),
        None,
    ),
}
_warned: set[str] = set()


def _warn_unknown(key: str, value: Any) -> None:
    """Say once that numbers of an unknown meaning stay as they are."""
    if key in _warned or not _may_be_pixels(value):
        return
    _warned.add(key)
    warnings.warn(
        f"The samples' metainfo has {key!r}, which the zoom does not know and leaves as it is. If "
        'it is in pixels of the image, say how it scales: lzu_mm.data_preprocessors.pixels.RULES'
        f'[{key!r}] = a function of its value and of the ratios (x, y); None if it is not. Or take '
        'it out of meta_keys.',
        stacklevel=2,
    )


def _may_be_pixels(value: Any) -> bool:
    """Whether a value is an array, or a sequence, of two numbers or more."""
    if isinstance(value, (Tensor, np.ndarray)):
        return len(np.ravel(value)) > 1 and np.asarray(value).dtype.kind in 'iuf'
    return (
        isinstance(value, (list, tuple))
        and len(value) > 1
        and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)
    )
