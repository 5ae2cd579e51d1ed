"""Losses weighed by how uncertain each time step turns out to be."""

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS


@MODELS.register_module()
class LearnedLogVariance(nn.Module):
    """error / exp(s) + s, with a learned log-variance s of every time step.

    The best s is the logarithm of the mean error: all time steps then pull
    alike. The original latent diffusion's ``learn_logvar``, after Kendall &
    Gal 2017 (arXiv:1703.04977).

    Args:
        num_timesteps: Length of the table, the noise schedule's.
        init: Log-variance before training; 0 is the plain error.
    """

    def __init__(self, num_timesteps: int, init: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.full((num_timesteps,), float(init)))

    def forward(
        self, errors: Tensor, t: Tensor, weight: float = 1.0
    ) -> Tensor:
        """The loss of every sample, (B,).

        Args:
            errors: Of the network's output, (B,), >= 0. An error that the
                log-variance should leave alone, such as a variational
                bound's, is to be added to the result.
            t: Times in [0, num_timesteps], (B,).
            weight: Of the errors, which the log-variance then has too; the
                original's ``l_simple_weight``.
        """
        step = t.long().clamp(max=len(self.table) - 1)
        log_variance = self.table[step.to(self.table.device)]
        return errors / log_variance.exp() + weight * log_variance
