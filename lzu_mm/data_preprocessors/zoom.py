"""Zoom in front of a stock data preprocessor.

The zoom comes first: normalising, padding and batching, all inherited, then run on the small image.
Labels and metainfo are scaled as for a uniform resize, because unzoomed features lie as if that had
taken place (LZU, Thavamani et al., CVPR 2023).
"""

from __future__ import annotations

import warnings
from random import Random
from typing import Any, Mapping

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ..frames import SourceFrame, source_frames
from ..link import (
    WarpLink,
    ZoomedBatch,
    link_in,
    models_under_construction,
    refuse_unused_zoom,
    running_models,
)
from ..pipelines import read_pipelines, refuse_masks
from ..registry import MODELS
from ..saliency import BaseSaliency
from ..saliency.estimation.magnification import same_aspect
from ..warps import Warp, saliency_to_warp, zoom_image
from ..warps.zoom import zoomed_content
from .faults import refuse_faults
from .settings import ZoomSettings
from .unsupported import refuse_nested, refuse_unsupported
from .warped import ContentWarp
from .way_home import Journey, WayHome


class ZoomMixin(BaseDataPreprocessor):
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
        self.zoom = ZoomSettings(**zoom)
        refuse_nested(self.zoom.labels)
        if self.zoom.labels == 'warped':
            refuse_masks()
        self.saliency: BaseSaliency = MODELS.build(dict(self.zoom.saliency, _scope_='lzu_mm'))
        self._check_images()
        whole = [m for m in self.saliency.modules() if getattr(m, 'of_whole_images', False)]
        self._vouched = not whole or read_pipelines(type(whole[0]).__name__)
        self._aspect = self._choose_aspect() if self.zoom.size == 'auto' else (1.0, 1.0)
        self.link = WarpLink()
        # Not torch's generator: all processes of a distributed training must draw the same.
        self._draw = Random(0)
        self._shared_warps: dict[tuple[int, ...], tuple[Tensor, Warp, Tensor]] = {}
        self._warned_unlinked = False
        self._paved = False
        self._pave_way_home()

    def init_weights(self) -> None:
        """Initialise the saliency module; called by the model's ``init_weights``."""
        self.saliency.init_weights()

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
        frames = source_frames(images, samples)
        if warp is not None:
            self._warn_of_doubt(frames, samples, training)
        warps = [
            None if own is None else ContentWarp(own, frame.content, _size(image), size)
            for own, frame, image, size in zip(_each(warp, len(images)), frames, images, sizes)
        ]
        zoomed = [self._zoom(image, own, size) for image, own, size in zip(images, warps, sizes)]
        if training:
            zoomed[0] = self._keep_in_graph(zoomed[0])
        data = self.set_images(data, zoomed)
        journeys = self._journeys(images, samples, sizes, warps)
        if samples is not None:
            data['data_samples'] = [
                sample if sample is None else self.scale_sample(sample, journey, training)
                for sample, journey in zip(samples, journeys)
            ]
        output = super().forward(data, training)
        batch = self._batch(warp, warps, sizes, output)
        batch.saliency, batch.skipped = saliency, skipped
        if self.predictions_travel and not training:
            batch.journeys = journeys
        self.link.publish(self.get_canvas(output), batch)
        if output.get('data_samples'):
            self.saliency.remember(output['data_samples'], training)
        return output

    def warp(
        self, images: list[Tensor], samples: list[Any] | None, training: bool
    ) -> tuple[Warp | None, Tensor | None]:
        """The warps of a batch.

        Args:
            images: Source images, each (C, H, W).
            samples: Their data samples, if any.
            training: Whether the batch is one to train on.

        Returns:
            A batch of warps, a single one where all images are looked at alike, or None where every
            warp is the identity; and the saliency that they were made from.
        """
        if self.saliency.is_uniform or (self.zoom.train_only and not training):
            return None, None
        shared = self.saliency.shared(images, samples)
        if shared is not None:
            return self._shared_warp(*shared)
        # Geometry keeps float32 under autocast too.
        with torch.autocast(images[0].device.type, enabled=False):
            saliency = self.saliency(images, samples, training)
            return saliency_to_warp(saliency, **self.zoom.warp_options()), saliency

    def _check_images(self) -> None:
        """Let the saliency modules know what the config tells of the images."""
        mean, std = (
            None if values is None else values.flatten().tolist()
            for values in (getattr(self, 'mean', None), getattr(self, 'std', None))
        )
        channels = [len(mean)] if mean and len(mean) > 1 else []  # one value may be for all
        for _, arguments in models_under_construction():
            backbone = arguments.get('backbone')
            if isinstance(backbone, Mapping) and isinstance(backbone.get('in_channels'), int):
                channels.append(backbone['in_channels'])
        for module in self.saliency.modules():
            if isinstance(module, BaseSaliency):
                module.check_images(next(iter(channels), None), mean, std)

    def _choose_aspect(self) -> tuple[float, float]:
        """Factors of the zoomed height and width at which objects keep their aspect on average."""
        if self.saliency.is_uniform:
            return 1.0, 1.0
        shared = self.saliency.shared([], None)
        if shared is None:
            raise ValueError(
                "zoom.size='auto' needs a map that is the same for all images (FixedSaliency, "
                'HorizonSaliency with a row): set zoom.size=(h, w), or leave it out'
            )
        saliency = shared[0].float()
        return same_aspect(saliency[0, 0], saliency_to_warp(saliency, **self.zoom.warp_options()))

    def _keep_in_graph(self, image: Tensor) -> Tensor:
        """Let the image depend on all that learns, as DDP wants of every parameter in every step.

        Some batches are left out by ``train_prob``, and some have no box to look at.
        """
        learned = [p for p in self.saliency.parameters() if p.requires_grad]
        return image + sum(p.flatten()[:0].sum() for p in learned) if learned else image

    def _draws_zoom(self) -> bool:
        return self.zoom.train_prob == 1 or self._draw.random() < self.zoom.train_prob

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

    def _shared_warp(self, source: Tensor, flipped: tuple[int, ...]) -> tuple[Warp, Tensor]:
        """The warp of an unchanging map; made once, it keeps the grids that were made from it."""
        known = self._shared_warps.get(flipped)
        if known is None or known[0] is not source:
            # What is made in inference mode could not be used in training later.
            with torch.inference_mode(False), torch.no_grad():
                saliency = source.flip(flipped)
                warp = saliency_to_warp(saliency, **self.zoom.warp_options())
            known = self._shared_warps[flipped] = (source, warp, saliency)
        return known[1:]

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
            model.predict = WayHome(self, model.predict)
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

    def _warn_of_doubt(
        self, frames: list[SourceFrame], samples: list[Any] | None, training: bool
    ) -> None:
        """Warn once of what metainfo cannot tell, where no pipelines could be read."""
        if self._vouched:
            return
        known = [sample.metainfo for sample in samples or () if sample is not None]
        doubts = [frame.doubt for frame in frames if frame.doubt]
        if training and any('flip' not in metainfo for metainfo in known):
            doubts.append("a flip is not followed unless 'flip' is in meta_keys of Pack*Inputs")
        if doubts:
            self._vouched = True
            warnings.warn(f'{type(self.saliency).__name__}: {doubts[0]}', stacklevel=3)

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
