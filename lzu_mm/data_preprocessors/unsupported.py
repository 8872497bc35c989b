"""Models that a zoom cannot serve, and why."""

from __future__ import annotations

# By the class of the model, or one that it derives from.
_REASONS = {
    'MultimodalEncoderDecoder': (
        'its decode_head (SAN) reads the pixels of the image again, beside features that no neck '
        'can unzoom'
    ),
    'BoxInst': (
        'its mask_head learns from the colours of neighbouring pixels of the image, which '
        'BoxInstDataPreprocessor compares and a zoom moves apart'
    ),
    'ImVoxelNet': 'its neck_3d looks up features where lidar2img puts voxels in the source image',
    'MultiViewDfM': 'it looks up features where lidar2img puts voxels in the source images',
    'MVXTwoStageDetector': 'it looks up features where lidar2img puts points in the source image',
}


def refuse_unsupported(model: type) -> None:
    """Refuse a model that would silently go wrong.

    Args:
        model: Its class.

    Raises:
        ValueError: If features that were unzoomed are not all that its heads read.
    """
    for kind in model.__mro__:
        if kind.__name__ in _REASONS:
            raise ValueError(
                f'{model.__name__} cannot be zoomed: {_REASONS[kind.__name__]}. Keep the '
                'stock model.data_preprocessor, without UnzoomNeck'
            )
