"""Zoom in front of a stock data preprocessor.

The zoom comes first: normalising, padding and batching, all inherited, then run on the small image.
Labels and metainfo are scaled as for a uniform resize, because unzoomed features lie as if that had
taken place (LZU, Thavamani et al., CVPR 2023).
"""

from __future__ import annotations

import warnings
from typing import Any, Mapping

from torch import Tensor

from ..frames import source_frames
from ..link import (
    WarpLink,
    ZoomedBatch,
    link_in,
    models_under_construction,
    refuse_unused_zoom,
    running_models,
)
from ..pipelines import refuse_masks
from ..warps import Warp, zoom_image
from ..warps.zoom import zoomed_content
from .faults import refuse_faults
from .saliency_loss import add_saliency_loss
from .saliency_warp import WarpMixin
from .settings import ZoomSettings
from .unsupported import refuse_nested, refuse_unsupported
from .warped import ContentWarp
from .way_home import Journey, WayHome


class ZoomMixin(WarpMixin):
    """Zooms the images of a batch and scales its samples before the parent sees them.

    Mix in before a stock data preprocessor. A subclass says how a sample follows, in
    :meth:`scale_sample`, and where the images lie if not in ``data['inputs']``.

    Args:
        *args: The parent's arguments.
        zoom: See :class:`ZoomSettings`.
        **kwargs: The parent's arguments.

    Raises:
        ValueError: If ``zoom`` is missing or a setting in it is wrong, or the model cannot
            be zoomed.
    """

    # Whether label maps have the size of their image.
    maps_fit = False

    def __init__(self, *args: Any, zoom: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        refuse_unused_zoom()
        for model, _ in models_under_construction():
            refuse_unsupported(type(model))
        if not isinstance(zoom, Mapping) or 'saliency' not in zoom:
            raise ValueError(
                f'{type(self).__name__} needs zoom=dict(scale=0.5, saliency=dict(type=...)) in '
                'model.data_preprocessor'
            )
        unknown = set(zoom) - set(ZoomSettings.__dataclass_fields__)
        if unknown:
            raise ValueError(
                f'zoom has no setting {sorted(unknown)}; it takes '
                f'{list(ZoomSettings.__dataclass_fields__)}'
            )
        settings = ZoomSettings(**zoom)
        refuse_nested(settings.labels)
        if settings.labels == 'warped':
            refuse_masks()
        self._look_by(settings)
        self.link = WarpLink()
        self._warned_unlinked = False
        self._paved = False
        self._pave_way_home()
        if self.saliency.has_target:
            add_saliency_loss(self.link)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Zoom, then preprocess as the parent does.

        Args:
            data: A batch of the dataloader; it is left untouched.
            training: Whether to scale labels as well, and to augment.

        Returns:
            The parent's output for the zoomed batch.
        """
        self._warn_if_unlinked()
        self._pave_way_home()
        refuse_faults(self.get_images(data), data.get('data_samples'), training, self.maps_fit)
        data = self.cast_data(data)
        images = list(self.get_images(data))
        if not images:
            raise ValueError(f'{type(self).__name__} was given a batch without images')
        samples = data.get('data_samples')
        skipped = training and not self._draws_zoom()
        warp, saliency = (None, None) if skipped else self.warp(images, samples, training)
        sizes = [self.zoom.output_size(_size(image), self._aspect) for image in images]
        warps = self._content_warps(warp, images, samples, sizes, training)
        journeys = self._journeys(images, samples, sizes, warps)
        losses = {}
        if training and saliency is not None:
            losses = self.saliency.losses(saliency, images, samples)
        data = self._zoomed_data(data, images, journeys, warps, training)
        output = super().forward(data, training)
        batch = self._batch(warp, warps, sizes, output)
        batch.saliency, batch.skipped = saliency, skipped
        batch.losses = losses
        if self.predictions_travel and not training:
            batch.journeys = journeys
        self.link.publish(self.get_canvas(output), batch)
        if output.get('data_samples'):
            self.saliency.remember(output['data_samples'], training)
        return output

    def _content_warps(
        self,
        warp: Warp | None,
        images: list[Tensor],
        samples: list[Any] | None,
        sizes: list[tuple[int, int]],
        training: bool,
    ) -> list[ContentWarp | None]:
        """The warp of each image, over the content of its source."""
        frames = source_frames(images, samples)
        if warp is not None:
            self._warn_of_doubt(frames, samples, training)
        return [
            None if own is None else ContentWarp(own, frame.content, _size(image), size)
            for own, frame, image, size in zip(_each(warp, len(images)), frames, images, sizes)
        ]

    def _zoomed_data(
        self,
        data: dict[str, Any],
        images: list[Tensor],
        journeys: list[Journey],
        warps: list[ContentWarp | None],
        training: bool,
    ) -> dict[str, Any]:
        """The batch with zoomed images, and samples that follow them."""
        zoomed = [
            self._zoom(image, warp, journey.size)
            for image, warp, journey in zip(images, warps, journeys)
        ]
        if training:
            zoomed[0] = self._keep_in_graph(zoomed[0])
        samples = data.get('data_samples')
        data = self.set_images(data, zoomed)
        if samples is not None:
            data['data_samples'] = [
                sample if sample is None else self.scale_sample(sample, journey, training)
                for sample, journey in zip(samples, journeys)
            ]
        return data

    def _zoom(self, image: Tensor, warp: ContentWarp | None, size: tuple[int, int]) -> Tensor:
        settings = (size, self.zoom.align_corners, self.zoom.antialias)
        if warp is None:
            return zoom_image(image, None, *settings)
        return zoom_image(image, warp.warp, *settings, content=warp.content)

    def _on_canvas(self, warp: ContentWarp | None, size: tuple[int, int]) -> tuple[float, float]:
        """(h, w) of the content of a zoomed image."""
        if warp is None:
            return size
        return zoomed_content(warp.content, warp.source, size, self.zoom.align_corners)

    def get_images(self, data: dict[str, Any]) -> Any:
        """The source images of a batch: a sequence of (C, H, W) or one (N, C, H, W)."""
        return data['inputs']

    def set_images(self, data: dict[str, Any], images: list[Tensor]) -> dict[str, Any]:
        """A batch with other images."""
        return {**data, 'inputs': images}

    def get_canvas(self, output: dict[str, Any]) -> Tensor:
        """The padded images (N, C, H, W) of the parent's output."""
        return output['inputs']

    def scale_sample(self, sample: Any, journey: Journey, training: bool) -> Any:
        """Let a sample follow its image.

        Args:
            sample: The cast sample; may be changed, but not the tensors in it.
            journey: What the zoom does to the image; its warp is that by which labels follow, None
                as for a uniform resize.
            training: Whether labels follow. At test they stay in original coordinates, where
                evaluators compare.

        Returns:
            The sample.
        """
        raise NotImplementedError

    @property
    def predictions_travel(self) -> bool:
        """Whether something has to be undone in predictions, by :meth:`bring_home`."""
        return self.zoom.labels == 'warped'

    def bring_home(self, sample: Any, journey: Journey, rescale: bool, model: Any) -> Any:
        """Undo in the predictions of an image what the zoom did to it.

        Args:
            sample: As the model has just returned it, one of those that it was given.
            journey: What the zoom did to the image.
            rescale: Whether predictions are in pixels of the original, not of the zoomed image.
            model: What predicted.

        Returns:
            The sample, or another one to return in its place.
        """
        raise NotImplementedError

    def _pave_way_home(self) -> None:
        """Let predictions come home, in the model that is being built or run with this."""
        if not self.predictions_travel or self._paved:
            return
        built = [model for model, _ in models_under_construction()]
        run = [model for model, _ in running_models() if link_in(model) is self.link]
        # Inside another model, the outer one preprocesses and predicts.
        for model in built if len(built) == 1 else run[:1]:
            if not hasattr(model, 'predict'):
                raise ValueError(
                    f"{type(model).__name__} has no method 'predict', whose predictions could come "
                    "back: set zoom.labels='resized'"
                )
            model.predict = WayHome(self.link, self.bring_home, model.predict)
            self._paved = True

    def _journeys(
        self,
        images: list[Tensor],
        samples: list[Any] | None,
        sizes: list[tuple[int, int]],
        warps: list[ContentWarp | None],
    ) -> list[Journey]:
        warped = self.zoom.labels == 'warped'
        return [
            Journey(
                _size(image),
                size,
                {} if sample is None else sample.metainfo,
                own if warped else None,
            )
            for image, sample, size, own in zip(
                images, samples or [None] * len(images), sizes, warps
            )
        ]

    def _batch(
        self,
        warp: Warp | None,
        warps: list[ContentWarp | None],
        sizes: list[tuple[int, int]],
        output: dict[str, Any],
    ) -> ZoomedBatch:
        contents = [self._on_canvas(own, size) for own, size in zip(warps, sizes)]
        samples = output.get('data_samples')
        if samples and all(sample is not None for sample in samples):
            # Batch augmentations may have resized the batch since.
            contents = [
                (
                    h * sample.metainfo['img_shape'][0] / size[0],
                    w * sample.metainfo['img_shape'][1] / size[1],
                )
                for (h, w), size, sample in zip(contents, sizes, samples)
            ]
        return ZoomedBatch(
            warp,
            contents,
            [(1.0, 1.0) if own is None else own.share for own in warps],
            _size(self.get_canvas(output)),
            self.zoom.align_corners,
            unzoom=self.zoom.labels == 'resized',
        )

    def _warn_if_unlinked(self) -> None:
        if self.link.claimed or self._warned_unlinked or self.zoom.labels == 'warped':
            return
        self._warned_unlinked = True
        warnings.warn(
            f'{type(self).__name__} zooms, but the model has no lzu_mm.UnzoomNeck: features stay '
            "in the zoomed frame (plain LZ). Set model.neck to dict(type='lzu_mm.UnzoomNeck', "
            "inner='FPN') to unzoom them, or zoom.labels='warped' to let labels follow.",
            stacklevel=3,
        )


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _each(warp: Warp | None, count: int) -> list[Warp | None]:
    """The warp of every image, a batch of one each."""
    if warp is None or len(warp) == 1:
        return [warp] * count
    return [warp.index(slice(i, i + 1)) for i in range(count)]
