"""What all noise schedules have in common."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.utils import check_positive

from ..functional import NoiseLevel

# Tables are numbers, not weights: on the CPU under ``torch.device('meta')``
# too.
TABLE = dict(dtype=torch.float64, device='cpu')


def as_float64(value: Tensor | float) -> Tensor:
    """A tensor of a schedule's precision, on the CPU."""
    return torch.as_tensor(value, **TABLE)


class NoiseSchedule(ABC):
    """Maps time to a noise level; a subclass needs ``__call__`` alone.

    Args:
        num_timesteps: End of the time axis, > 0.
    """

    # Where noise vanishes at time 0, training begins this share of the axis
    # later: nearer to it the SNR of float32 latents is no number any more.
    MARGIN = 1e-3
    # Halvings of the time axis: 1000 / 2**64 is below 1e-16.
    BISECTIONS = 64

    def __init__(self, num_timesteps: int = 1000) -> None:
        check_positive('num_timesteps', num_timesteps)
        self.num_timesteps = num_timesteps

    @abstractmethod
    def __call__(self, t: Tensor | float) -> NoiseLevel:
        """The level at time ``t``, of any shape, in [0, :attr:`last`].

        Its log-SNR falls strictly; ``as_float64(t)`` gives its precision.
        """

    @property
    def last(self) -> float:
        """The largest time that exists, the start of sampling."""
        return self.num_timesteps - 1

    @property
    def first(self) -> float:
        """The least time that training visits, at which there is noise."""
        noise = self(as_float64(0)).sigma
        return 0.0 if noise > 0 else self.MARGIN * self.num_timesteps

    @property
    def unit(self) -> float:
        """The step of time that grids count in: a row of a table."""
        return 1.0

    def clean(self) -> NoiseLevel:
        """The level of a latent without noise, where sampling ends."""
        return NoiseLevel(*map(as_float64, (0, 1, 0)))

    def at_log_snr(self, log_snr: Tensor | float) -> NoiseLevel:
        """The level of this log(alpha^2 / sigma^2), of any shape.

        By bisection of the time axis, all values at once; a value beyond
        the schedule gets the level of its nearer end.
        """
        log_snr = as_float64(log_snr)
        low = torch.zeros_like(log_snr)
        high = torch.full_like(log_snr, self.last)
        for _ in range(self.BISECTIONS):
            middle = (low + high) / 2
            less_noisy = self(middle).log_snr > log_snr
            low = torch.where(less_noisy, middle, low)
            high = torch.where(less_noisy, high, middle)
        return self(high)

    def timestep(self, fraction: Tensor) -> Tensor:
        """A training time for a fraction in [0, 1) of the time axis."""
        return self.first + (self.last - self.first) * fraction
