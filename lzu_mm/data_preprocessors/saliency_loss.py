"""The loss of a saliency with a target joins those of the model.

It is computed where the map is made, by the data preprocessor, and has to arrive in what the model
returns in mode ``loss``: only so is it logged, and scaled as all losses by mixed precision and
gradient accumulation.
"""

from __future__ import annotations

from typing import Any, Callable

from ..link import UNSEEN, WarpLink, models_under_construction, modules_under_construction


class WithSaliencyLoss:
    """A model's ``loss``, and that of its saliency.

    It takes the place of the method on the model.

    Args:
        link: Of the model's data preprocessor.
        loss: The stock method.
    """

    def __init__(self, link: WarpLink, loss: Callable[..., dict[str, Any]]) -> None:
        self.link = link
        self.loss = loss

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The losses of a batch; arguments as of the stock method.

        Raises:
            RuntimeError: If nobody zoomed the images.
        """
        batch = self.link.batch_of_images([*args, *kwargs.values()])
        if batch is None:
            raise RuntimeError(UNSEEN.format(reader='The loss of the saliency'))
        return {**self.loss(*args, **kwargs), **batch.losses}

    @property
    def __wrapped__(self) -> Callable[..., dict[str, Any]]:
        return self.loss


def add_saliency_loss(link: WarpLink) -> None:
    """Let the model under construction return the loss of its saliency as well.

    Args:
        link: Of the model's data preprocessor.

    Raises:
        ValueError: If no model is being built, or it has branches, of which some have no labels.
    """
    models = [model for model, _ in models_under_construction()]
    branches = [type(module).__name__ for module in modules_under_construction()]
    if 'MultiBranchDataPreprocessor' in branches:
        raise ValueError(
            'saliency.target compares with labels, which not all branches of '
            'MultiBranchDataPreprocessor have: remove saliency.target'
        )
    if len(models) != 1 or not hasattr(models[0], 'loss'):
        raise ValueError(
            'saliency.target adds to the losses of the model that the data preprocessor is built '
            "for, by its method 'loss': build both from one config, or remove saliency.target"
        )
    model: Any = models[0]
    model.loss = WithSaliencyLoss(link, model.loss)
