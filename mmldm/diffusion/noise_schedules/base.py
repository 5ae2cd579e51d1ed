"""Base class of noise schedules."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.utils import check_positive

from ..functional import NoiseLevel

# Tables are numbers, not weights: they are on the CPU even under
# ``torch.device('meta')``.
TABLE = dict(dtype=torch.float64, device='cpu')


def as_float64(value: Tensor | float) -> Tensor:
    """A float64 tensor on the CPU, the precision of schedules."""
    return torch.as_tensor(value, **TABLE)


class NoiseSchedule(ABC):
    """A map from time to noise level; a subclass only needs ``__call__``.

    Args:
        num_timesteps: End of the time axis, > 0.
    """

    # If noise vanishes at time 0, training starts later by this share of the
    # axis: nearer to 0, the SNR of float32 latents is not finite.
    MARGIN = 1e-3
    # Number of halvings of the time axis: 1000 / 2**64 is below 1e-16.
    BISECTIONS = 64

    def __init__(self, num_timesteps: int = 1000) -> None:
        check_positive('num_timesteps', num_timesteps)
        self.num_timesteps = num_timesteps

    @abstractmethod
    def __call__(self, t: Tensor | float) -> NoiseLevel:
        """The level at times ``t`` of any shape, in [0, :attr:`last`].

        The log-SNR must fall strictly. Use ``as_float64(t)`` for precision.
        """

    @property
    def last(self) -> float:
        """The largest time, where sampling starts."""
        return self.num_timesteps - 1

    @property
    def first(self) -> float:
        """The smallest training time, at which there is noise."""
        noise = self(as_float64(0)).sigma
        return 0.0 if noise > 0 else self.MARGIN * self.num_timesteps

    @property
    def unit(self) -> float:
        """The unit of time for grids: a row of a table."""
        return 1.0

    def clean(self) -> NoiseLevel:
        """The level of a latent without noise, where sampling ends."""
        return NoiseLevel(*map(as_float64, (0, 1, 0)))

    def at_log_snr(self, log_snr: Tensor | float) -> NoiseLevel:
        """The level with a given log(alpha^2 / sigma^2) of any shape.

        It is found by bisection of the time axis, for all values at once. A
        value beyond the schedule gets the level of the nearer end.
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
