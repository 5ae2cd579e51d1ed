"""A problem that is not linear, and grids of which solvers are of order."""

import pytest
import torch

from mmldm.diffusion import NoiseLevel


class Mixture:
    """Three Gaussians in one dimension: the best denoiser is known."""

    mean = torch.tensor([-1.0, 0.2, 1.5], dtype=torch.float64)
    std = torch.tensor([0.4, 0.3, 0.5], dtype=torch.float64)
    share = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)

    def denoise(self, z, level):
        """E[z_0 | z]: every mode's, by how likely z comes from it."""
        variance = (level.alpha * self.std) ** 2 + level.sigma**2
        off = z[..., None] - level.alpha * self.mean
        log_density = -(off**2 / variance + variance.log()) / 2
        posterior = (self.share.log() + log_density).softmax(-1)
        gain = level.alpha * self.std**2 / variance
        return (posterior * (self.mean + gain * off)).sum(-1)

    def flow(self, z, from_level, to_level):
        """Runge-Kutta's method with 400 steps in log(sigma / alpha)."""
        x = z / from_level.alpha
        ends = (float(level.log_snr) / -2 for level in (from_level, to_level))
        times = torch.linspace(*ends, 401, dtype=torch.float64)
        step = times[1] - times[0]
        for time in times[:-1]:
            slope, mean = 0, 0
            for part, weight in ((0, 1), (0.5, 2), (0.5, 2), (1, 1)):
                ahead = part * step
                slope = self._slope(x + ahead * slope, time + ahead)
                mean = mean + weight * slope / 6
            x = x + step * mean
        return to_level.alpha * x

    def _slope(self, x, log_ratio):
        one = torch.ones((), dtype=torch.float64)
        return x - self.denoise(x, NoiseLevel(one, one, log_ratio.exp()))


class Correlated(Mixture):
    """Three Gaussians in the plane, of unequal and correlated covariances."""

    mean = torch.tensor([[-1.0, 0.5], [0.6, 1.0], [0.3, -1.2]]).double()
    share = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
    covariance = torch.tensor(
        [
            [[0.16, 0.1], [0.1, 0.1]],
            [[0.09, 0.0], [0.0, 0.09]],
            [[0.02, -0.05], [-0.05, 0.25]],
        ]
    ).double()
    # Of every mode's axes, on which its widths are independent.
    variance, axes = torch.linalg.eigh(covariance)

    def denoise(self, z, level):
        """z is (B, 2)."""
        noisy = level.alpha**2 * self.variance + level.sigma**2
        off = z[:, None].double() - level.alpha * self.mean
        off = torch.einsum('bkd,kde->bke', off, self.axes)
        log_density = -(off**2 / noisy + noisy.log()).sum(2) / 2
        posterior = (self.share.log() + log_density).softmax(1)
        shift = level.alpha * self.variance / noisy * off
        means = self.mean + torch.einsum('bke,kde->bkd', shift, self.axes)
        return (posterior[..., None] * means).sum(1).to(z)


@pytest.fixture
def mixture():
    return Mixture()


@pytest.fixture
def correlated():
    return Correlated()


def unbind(level):
    values = zip(level.t, level.alpha, level.sigma, strict=True)
    return [NoiseLevel(*value) for value in values]


@pytest.fixture
def levels_by_log_snr():
    """num_steps + 1 levels, equally spaced in log-SNR."""

    def levels(schedule, first, last, num_steps):
        values = torch.linspace(
            first, last, num_steps + 1, dtype=torch.float64
        )
        return unbind(schedule.at_log_snr(values))

    return levels


@pytest.fixture
def levels_by_ratio():
    """num_steps + 1 levels, equally spaced in sigma / alpha."""

    def levels(schedule, first, last, num_steps):
        ratio = torch.linspace(first, last, num_steps + 1, dtype=torch.float64)
        return unbind(schedule.at_log_snr(-2 * ratio.log()))

    return levels


@pytest.fixture
def levels_by_share():
    """num_steps + 1 levels, equally spaced in sigma / (alpha + sigma)."""

    def levels(schedule, first, last, num_steps):
        share = torch.linspace(first, last, num_steps + 1, dtype=torch.float64)
        return unbind(schedule.at_log_snr(-2 * (share / (1 - share)).log()))

    return levels
