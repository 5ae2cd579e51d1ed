"""Losses weighed by the learned uncertainty of each time step."""

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.devices import to_device


@MODELS.register_module()
class LearnedLogVariance(nn.Module):
    """Computes error / exp(s) + s, with a log-variance s per time step.

    The best s is the logarithm of the mean error, with which all time steps
    have the same influence. This is ``learn_logvar`` of the original latent
    diffusion, after Kendall & Gal 2017 (arXiv:1703.04977).

    Args:
        num_timesteps: Length of the table, as of the noise schedule.
        init: Log-variance before training; 0 leaves the error unchanged.
    """

    def __init__(self, num_timesteps: int, init: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.full((num_timesteps,), float(init)))

    def forward(
        self, errors: Tensor, t: Tensor, weight: float = 1.0
    ) -> Tensor:
        """The loss of every sample, (B,).

        Args:
            errors: Errors of the network's output, (B,), >= 0. Add errors
                that the log-variance should not weigh, such as a variational
                bound, to the result instead.
            t: Times in [0, num_timesteps], (B,).
            weight: Factor on the errors and on s, ``l_simple_weight`` of the
                original.
        """
        step = t.long().clamp(max=len(self.table) - 1)
        log_variance = self.table[to_device(step, self.table.device)]
        return errors / log_variance.exp() + weight * log_variance
