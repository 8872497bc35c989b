"""The interface of saliency modules: where to look in a batch of images."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Sequence

from mmengine.model import BaseModule
from torch import Tensor


class BaseSaliency(BaseModule):
    """Gives a saliency map per image, of its content (:mod:`lzu_mm.frames`).

    Attributes:
        is_uniform: Whether every map is constant, so that no warp is needed.
        of_whole_images: Whether maps are made for originals, so that pipelines must leave images
            whole.
        follows_videos: Whether maps depend on what was found in frames before.
        has_target: Whether maps are compared with labels, by :meth:`losses`.
    """

    is_uniform: bool = False
    of_whole_images: bool = False
    follows_videos: bool = False
    has_target: bool = False

    @abstractmethod
    def forward(
        self, images: list[Tensor], samples: Sequence[Any] | None, training: bool
    ) -> Tensor:
        """Look at a batch.

        Args:
            images: N source images (C, H, W) on the model's device, before normalisation; their
                sizes may differ.
            samples: Their data samples, in the coordinates of the source images, or None.
            training: Whether the batch is one to train on.

        Returns:
            Non-negative saliency of the content of the images, shape (N, 1, h_S, w_S).
        """

    def losses(
        self, saliency: Tensor, images: list[Tensor], samples: Sequence[Any] | None
    ) -> dict[str, Tensor]:
        """What maps of a training batch add to the losses of the model.

        Args:
            saliency: What :meth:`forward` returned.
            images: As for :meth:`forward`.
            samples: As for :meth:`forward`.

        Returns:
            Losses by their names in the log; none by default.
        """
        return {}

    def is_taught(self) -> bool:
        """Whether maps learn by :meth:`losses` now, and not by the task's loss."""
        return False

    def shared(
        self, images: list[Tensor], samples: Sequence[Any] | None
    ) -> tuple[Tensor, tuple[int, ...]] | None:
        """Tell whether all images of a batch are looked at alike, so that one warp serves them all.

        Args:
            images: As for :meth:`forward`.
            samples: As for :meth:`forward`.

        Returns:
            A map (1, 1, h_S, w_S), the same tensor whenever it holds the same values, and the axes
            along which it is flipped; None where maps depend on the images.
        """
        return None

    def check_images(
        self, channels: int | None, mean: Sequence[float] | None, std: Sequence[float] | None
    ) -> None:
        """Refuse images other than the settings say; called when the data preprocessor is built.

        Args:
            channels: Channels of the images, where the model's config tells.
            mean: By which the data preprocessor normalises, a value per channel or one for all;
                None if it does not.
            std: The same, of the standard deviation.

        Raises:
            ValueError: If the module does not look at such images.
        """

    def remember(self, samples: Sequence[Any], training: bool) -> None:
        """Take note of the samples that the model is about to see, and will write into.

        Args:
            samples: The samples of the zoomed batch; after the model's forward at test they hold
                ``pred_instances``.
            training: Whether the batch is one to train on.
        """

    def reset(self) -> None:
        """Forget what was remembered."""


def refuse_targets(saliency: BaseSaliency, setting: str) -> None:
    """Refuse a module inside another that is to be compared with labels: nobody would ask it.

    Args:
        saliency: The outer module.
        setting: Where the inner ones were set.

    Raises:
        ValueError: If one has a target.
    """
    if any(getattr(module, 'has_target', False) for module in saliency.modules()):
        raise ValueError(
            f'a LearnedSaliency in {setting} cannot have a target: remove its target, or set '
            'zoom.saliency to the LearnedSaliency itself'
        )
