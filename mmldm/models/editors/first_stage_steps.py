"""The optimizers of a first stage, and their steps."""

from collections.abc import Mapping
from contextlib import nullcontext

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmldm.utils import check_divisible
from mmldm.utils.gradient_buckets import GradientBuckets


class OptimizerStep:
    """A step of one optimizer, with gradients averaged over the processes.

    Args:
        module: The part that the optimizer trains; None if it is left out.
    """

    def __init__(self, module: nn.Module | None) -> None:
        self.module = module
        self.buckets: GradientBuckets | None = None

    def __call__(self, wrapper: OptimWrapper, loss: Tensor) -> None:
        """Do backward and, unless gradients accumulate, a step."""
        if self.buckets is None:
            self.buckets = GradientBuckets(self.module.parameters())
        complete = wrapper.should_sync()
        with self.buckets.averaging() if complete else nullcontext():
            wrapper.backward(wrapper.scale_loss(loss))
        if wrapper.should_update():
            wrapper.step()
            wrapper.zero_grad()


def wrappers_by_part(
    optim_wrapper: OptimWrapper | OptimWrapperDict,
    adversarial: nn.Module | None,
) -> Mapping[str, OptimWrapper]:
    """Optimizer wrappers by the part of a first stage that each trains.

    Args:
        optim_wrapper: One wrapper, or one for each trained part.
        adversarial: The ``AdversarialLoss``; None for none.

    Raises:
        ValueError: If a part has no optimizer, or an optimizer no part.
    """
    wrappers = getattr(
        optim_wrapper, 'optim_wrappers', {'autoencoder': optim_wrapper}
    )
    needed = ['autoencoder', 'adversarial'][: 2 if adversarial else 1]
    if sorted(wrappers) != sorted(needed):
        raise ValueError(
            f'optim_wrapper has optimizers for {sorted(wrappers)}, but '
            f'this model trains {needed}: inherit the schedule '
            'adam_autoencoder-gan.py with model.adversarial, '
            'adam_autoencoder.py without'
        )
    if adversarial:
        check_divisible(
            'adversarial.start - adversarial.lead',
            max(adversarial.start - adversarial.lead, 0),
            'optim_wrapper.adversarial.accumulative_counts',
            wrappers['adversarial']._accumulative_counts,
        )
    return wrappers
