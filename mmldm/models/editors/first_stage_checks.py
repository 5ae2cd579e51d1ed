"""Checks of what a first stage gets for training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from mmldm.utils import check_divisible

if TYPE_CHECKING:
    from .first_stage import FirstStage


def check_size(model: 'FirstStage', x: Tensor) -> None:
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


def wrappers_of(model: 'FirstStage', optim_wrapper) -> Mapping:
    """Optimizer wrappers by the part that each trains.

    Raises:
        ValueError: If a part has no optimizer, or an optimizer no part.
    """
    wrappers = getattr(
        optim_wrapper, 'optim_wrappers', {'autoencoder': optim_wrapper}
    )
    needed = ['autoencoder', 'adversarial'][: 2 if model.adversarial else 1]
    if sorted(wrappers) != sorted(needed):
        raise ValueError(
            f'optim_wrapper has optimizers for {sorted(wrappers)}, but '
            f'this model trains {needed}: inherit the schedule '
            'adam_autoencoder-gan.py with model.adversarial, '
            'adam_autoencoder.py without'
        )
    if model.adversarial:
        check_divisible(
            'adversarial.start - adversarial.lead',
            max(model.adversarial.start - model.adversarial.lead, 0),
            'optim_wrapper.adversarial.accumulative_counts',
            wrappers['adversarial']._accumulative_counts,
        )
    return wrappers
