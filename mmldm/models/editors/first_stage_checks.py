"""Checks of what a first stage gets for training."""

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from .first_stage import FirstStage


def check_large_enough(model: 'FirstStage', x: Tensor) -> None:
    """Raise if images are too small, or will be after a transform."""
    scale = model.equivariance.min_scale if model.equivariance else 1
    least = int(min(x.shape[2:]) * scale)
    judges = {
        'perceptual': model.perceptual,
        'adversarial.discriminator': model.adversarial
        and model.adversarial.discriminator,
    }
    for name, judge in judges.items():
        needed = getattr(judge, 'min_size', 1)
        if least < needed:
            raise ValueError(
                f'images of {tuple(x.shape[2:])} pixels, made smaller by '
                f'up to {scale} (model.equivariance.min_scale), have '
                f'sides of {least} pixels, but model.{name} needs '
                f'{needed}: use larger images'
            )
