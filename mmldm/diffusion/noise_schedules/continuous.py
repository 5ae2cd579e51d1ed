"""Schedules in continuous time, given by a formula."""

from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

from ..functional import NoiseLevel
from .base import NoiseSchedule, as_float64


class ContinuousSchedule(NoiseSchedule):
    """A formula over (0, T) for any T; for grids, T is a thousand units."""

    @property
    def unit(self) -> float:
        return self.num_timesteps / 1000


@DIFFUSION_SCHEDULERS.register_module()
class RectifiedFlow(ContinuousSchedule):
    """Straight paths: alpha = 1 - t/T, sigma = t/T; Liu et al. 2022.

    arXiv:2209.03003, eq. 1. Time is continuous in (0, T).

    Args:
        num_timesteps: T in the network's unit of time; any value, such as 1.
    """

    @property
    def last(self) -> float:
        return self.num_timesteps * (1 - self.MARGIN)

    def __call__(self, t: Tensor | float) -> NoiseLevel:
        t = as_float64(t)
        sigma = t / self.num_timesteps
        return NoiseLevel(t, 1 - sigma, sigma)


@DIFFUSION_SCHEDULERS.register_module()
class VarianceExploding(ContinuousSchedule):
    """Geometrically growing sigma, alpha = 1; Song et al. 2021, app. C.

    arXiv:2011.13456, with the range of Karras et al. 2022, table 1
    (arXiv:2206.00364). Up to an affine map, t is their c_noise,
    log(sigma) / 4.

    Args:
        sigma_min: sigma at time 0, > 0.
        sigma_max: sigma at time T, > sigma_min.
        num_timesteps: T in the network's unit of time; any value, such as 1.
    """

    def __init__(
        self,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        num_timesteps: int = 1000,
    ) -> None:
        super().__init__(num_timesteps)
        check_positive('sigma_min', sigma_min)
        if sigma_max <= sigma_min:
            raise ValueError(
                f'sigma_max={sigma_max} must be above sigma_min={sigma_min}'
            )
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max

    @property
    def last(self) -> float:
        return float(self.num_timesteps)

    def __call__(self, t: Tensor | float) -> NoiseLevel:
        t = as_float64(t)
        growth = self.sigma_max / self.sigma_min
        sigma = self.sigma_min * growth ** (t / self.num_timesteps)
        return NoiseLevel(t, t.new_ones(t.shape), sigma)
