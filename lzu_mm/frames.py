"""Where the image that a pipeline hands over shows the original.

An image passes through three frames: *original* (as it was taken, ``ori_shape``), *source* (what
the pipeline hands over: resized, flipped, perhaps padded) and *zoomed*. Maps of the whole image and
detections of the frame before live in the original frame; the warp is made in the frame of the
source's *content*, which is the original, flipped or not, at the top left of the source.

Convention: sizes are (h, w) in pixels, points and ratios (x, y). Ratios are source pixels per pixel
of the original.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

__all__ = ['SourceFrame', 'flipped_dims', 'name_of', 'scale_factor', 'source_frames']

Size = Sequence[float]
FLIPPED_DIMS = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}
# Resizes round to whole pixels.
_ROUNDING = 2
# What two resizes in a row make of the aspect, and what does not matter to a map.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class SourceFrame:
    """How one source image shows its original.

    Attributes:
        content: (h, w) of the original on the source, at its top left; all of the source where it
            is not known.
        scale: Source pixels per pixel of the original, (x, y).
        flipped: Axes along which the content is flipped, counted from the last.
        unknown: Why it is not known where the source shows the original; empty if it is known.
        doubt: What else the metainfo could stand for; empty if nothing.
        name: File of the image, for messages.
        camera_of_original: Whether ``cam2img`` is of the original, not of the source.
    """

    content: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)
    flipped: tuple[int, ...] = ()
    unknown: str = ''
    doubt: str = ''
    name: str = ''
    camera_of_original: bool = False

    @property
    def original(self) -> tuple[float, float]:
        """(h, w) of what the content shows, in pixels of the original."""
        return self.content[0] / self.scale[1], self.content[1] / self.scale[0]

    def boxes_to_original(self, boxes: Tensor) -> Tensor:
        """Boxes on the source in pixels of the original, flipped as the source is.

        Args:
            boxes: (K, 4) as (x1, y1, x2, y2).
        """
        return boxes / boxes.new_tensor(self.scale * 2)

    def map_to_content(self, saliency: Tensor) -> Tensor:
        """A map of the original as a map of the content.

        Args:
            saliency: (..., h_S, w_S).
        """
        return saliency.flip(self.flipped)

    def known(self, reader: str) -> SourceFrame:
        """The frame itself, for one who needs to know where the original is.

        Args:
            reader: For the message.

        Raises:
            ValueError: If it is not known.
        """
        if self.unknown:
            raise ValueError(
                f'{reader} looks at whole images, but {self.unknown} ({self.name}). '
                'Remove RandomCrop and the like from the pipeline (train_pipeline) and leave one '
                "Resize in it, add 'homography_matrix' to the meta_keys of PackDetInputs if only "
                "resizes are left, or use type='lzu_mm.UniformSaliency'."
            )
        return self


def source_frames(images: Sequence[Tensor], samples: Sequence[Any] | None) -> list[SourceFrame]:
    """How the source images of a batch show their originals.

    Args:
        images: Source images, each (C, H, W).
        samples: Their data samples; None, or None for an image, stands for an original.

    Returns:
        A frame per image.
    """
    return [
        _frame_of({} if sample is None else sample.metainfo, image)
        for image, sample in zip(images, samples or [None] * len(images))
    ]


def name_of(metainfo: Mapping[str, Any]) -> str:
    """The file of an image, or else its id, for messages."""
    return str(metainfo.get('img_path') or f'img_id {metainfo.get("img_id")}')


def scale_factor(metainfo: Mapping[str, Any]) -> tuple[float, float]:
    """Ratios (w, h) of the image to the original; 1 where there is no entry.

    Args:
        metainfo: Its ``scale_factor`` may be one number, (w, h), or (w, h, w, h).
    """
    values = np.ravel(metainfo.get('scale_factor', 1.0))
    return float(values[0]), float(values[1 if len(values) > 1 else 0])


def flipped_dims(metainfo: Mapping[str, Any]) -> tuple[int, ...]:
    """The axes along which an image was flipped, counted from the last; none if it was not."""
    if not metainfo.get('flip', False):
        return ()
    return FLIPPED_DIMS[metainfo.get('flip_direction') or 'horizontal']


def _frame_of(metainfo: Mapping[str, Any], image: Tensor) -> SourceFrame:
    source = (image.shape[-2], image.shape[-1])
    frame = SourceFrame(
        source,
        scale_factor(metainfo),
        flipped_dims(metainfo),
        name=name_of(metainfo),
    )
    if metainfo.get('ori_shape') is None:
        return frame
    h, w = metainfo['ori_shape'][:2]
    if metainfo.get('border') is not None:
        return replace(frame, unknown='RandomCenterCropPad has put it off the top left')
    read = next((read for key, read in _READERS if metainfo.get(key) is not None), None)
    if read is None:
        return _by_scale_factor(frame, source, (h, w), lambda size: _is_padded(image, size))
    frame = read(frame, metainfo, source, (h, w))
    if frame.unknown or frame.content == source or _is_padded(image, frame.content):
        return frame
    return replace(
        frame,
        content=source,
        unknown=f'the image goes on beyond {frame.content} of {source}, where padding should be: '
        'it was moved on a canvas (Expand, Mosaic, MixUp)',
    )


def _by_scale_factor(
    frame: SourceFrame, source: Size, original: Size, is_padded: Callable[[tuple[int, int]], bool]
) -> SourceFrame:
    """Resized by ``scale_factor``, then perhaps padded; or resized by what does not note it."""
    whole = (original[0] * frame.scale[1], original[1] * frame.scale[0])
    excess = [have - want for have, want in zip(source, whole)]
    if max(map(abs, excess)) <= _ROUNDING:
        return frame
    if min(excess) >= -_ROUNDING:
        h, w = (min(round(want), int(have)) for have, want in zip(source, whole))
        if is_padded((h, w)):
            return replace(frame, content=(h, w))
    ratio_y, ratio_x = (have / want for have, want in zip(source, original))
    off = abs(ratio_y / ratio_x - 1) * min(source)
    if off <= max(_ROUNDING, _TOLERANCE * min(source)):
        return replace(
            frame,
            scale=(ratio_x, ratio_y),
            doubt=f'an image of {tuple(source)} is taken for the original of {tuple(original)} '
            'resized twice, but a crop of the same aspect would look alike: take crops out of the '
            "pipeline, or add 'homography_matrix' to meta_keys of PackDetInputs",
        )
    return replace(
        frame,
        unknown=f'this image of {tuple(source)} is not the original of {tuple(original)} resized '
        f'by scale_factor={frame.scale} and padded: it is a crop, was flipped after Pad or moved '
        'on a canvas (Expand, Mosaic, MixUp), or was resized by a transform that notes no '
        'scale_factor',
    )


def _by_homography(
    frame: SourceFrame, metainfo: Mapping[str, Any], source: Size, original: Size
) -> SourceFrame:
    """What MMDetection's transforms note, in the order in which they were applied."""
    matrix = np.asarray(metainfo['homography_matrix'], dtype=np.float64)
    matrix = matrix / matrix[2, 2]
    turned = np.abs([matrix[0, 1], matrix[1, 0], matrix[2, 0] * source[1], matrix[2, 1]])
    if turned.max() > 1e-3:
        return replace(frame, unknown='it was rotated or sheared')
    spans = []
    for axis, n in ((1, original[0]), (0, original[1])):
        ends = (matrix[axis, 2], matrix[axis, 2] + matrix[axis, axis] * n)
        spans.append((min(ends), max(ends)))
    flipped = tuple(axis - 2 for axis in (0, 1) if matrix[1 - axis, 1 - axis] < 0)
    scale = (abs(matrix[0, 0]), abs(matrix[1, 1]))
    return _placed(replace(frame, flipped=flipped, scale=scale), source, spans)


def _by_letterbox(
    frame: SourceFrame, metainfo: Mapping[str, Any], source: Size, original: Size
) -> SourceFrame:
    """What MMYOLO's LetterResize notes: padding at the top, bottom, left and right."""
    top, bottom, left, right = (float(n) for n in metainfo['pad_param'])
    spans = [(top, source[0] - bottom), (left, source[1] - right)]
    ratio_y, ratio_x = ((end - start) / n for (start, end), n in zip(spans, original))
    return _placed(replace(frame, scale=(ratio_x, ratio_y)), source, spans)


def _by_affine_resize(
    frame: SourceFrame, metainfo: Mapping[str, Any], source: Size, original: Size
) -> SourceFrame:
    """What MMDetection3D's AffineResize does: as wide as the source, centred along y."""
    frame = replace(frame, camera_of_original=True)
    if metainfo.get('affine_aug'):
        return replace(frame, unknown='RandomShiftScale has moved it')
    ratio = source[1] / original[1]
    margin = (source[0] - original[0] * ratio) / 2
    spans = [(margin, source[0] - margin), (0.0, source[1])]
    return _placed(replace(frame, scale=(ratio, ratio)), source, spans)


_READERS: tuple[tuple[str, Callable[..., SourceFrame]], ...] = (
    ('homography_matrix', _by_homography),
    ('pad_param', _by_letterbox),
    ('trans_mat', _by_affine_resize),
)


def _placed(frame: SourceFrame, source: Size, spans: Sequence[tuple[float, float]]) -> SourceFrame:
    """A frame whose original lies at known rows and columns of the source."""
    near = [max(_ROUNDING, _TOLERANCE * n) for n in source]
    if any(end > n + slack for (_, end), n, slack in zip(spans, source, near)) or any(
        start < -slack for (start, _), slack in zip(spans, near)
    ):
        return replace(frame, unknown=f'this image of {tuple(source)} is a crop')
    if any(start > slack for (start, _), slack in zip(spans, near)):
        return replace(
            frame,
            unknown='it is padded at the top or left (flipped after Pad, or centred): pad at the '
            'bottom and right, after flips',
        )
    h, w = (
        int(n) if abs(end - n) <= _ROUNDING else min(round(end), int(n))
        for (_, end), n in zip(spans, source)
    )
    return replace(frame, content=(h, w))


def _is_padded(image: Tensor, content: tuple[int, int]) -> bool:
    """Whether an image has one colour beyond its content, as far as a sparse look tells."""
    h, w = (n + 2 * _ROUNDING for n in content)  # interpolation blends both sides of the border
    for strip in (image[:, h:, :], image[:, :h, w:]):
        if strip.numel():
            points = strip[:, :: max(strip.shape[1] // 64, 1), :: max(strip.shape[2] // 64, 1)]
            if not bool((points == points[:, :1, :1]).all()):
                return False
    return True
