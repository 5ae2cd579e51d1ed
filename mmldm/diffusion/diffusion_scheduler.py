"""The composition of the axes; every formula lives in its part."""

from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.typing import ConfigType

from .functional import NoiseLevel


@DIFFUSION_SCHEDULERS.register_module()
class DiffusionScheduler:
    """What configs call ``diffusion_scheduler``: training and sampling.

    The one owner of the noise schedule: training noise, inference grid and
    solver all read this object.

    Args:
        noise_schedule: time -> noise level.
        prediction: What the network's output stands for.
        loss_weighting: How much each level counts in training.
        timestep_sampler: Which times training visits.
        time_grid: Which levels sampling visits.
        solver: How sampling goes from level to level.
        num_steps: Steps of the solver, in [1, schedule's length].
    """

    def __init__(
        self,
        noise_schedule: ConfigType,
        prediction: ConfigType,
        loss_weighting: ConfigType,
        timestep_sampler: ConfigType,
        time_grid: ConfigType,
        solver: ConfigType,
        num_steps: int,
    ) -> None:
        build = DIFFUSION_SCHEDULERS.build
        self.noise_schedule = build(noise_schedule)
        self.prediction = build(prediction)
        self.loss_weighting = build(loss_weighting)
        self.timestep_sampler = build(timestep_sampler)
        self.time_grid = build(time_grid)
        self.solver = build(solver)
        self.num_steps = num_steps
        self.levels()  # a bad num_steps is known now, not after training

    def sample_level(self, uniform: Tensor) -> NoiseLevel:
        """Training levels for uniform numbers in [0, 1), both (B,)."""
        fraction = self.timestep_sampler(uniform)
        return self.noise_schedule(self.noise_schedule.timestep(fraction))

    def loss(
        self, out: Tensor, z_0: Tensor, noise: Tensor, level: NoiseLevel
    ) -> Tensor:
        """Weighted squared error of the network's output, ().

        Args:
            out: Output of the network, (B, C, h, w).
            z_0: Clean latents, (B, C, h, w).
            noise: The noise added to them, (B, C, h, w).
            level: The level it was added at, (B,).
        """
        target = self.prediction.target(z_0, noise, level)
        # float32: under autocast the output has 8 bits of mantissa.
        error = (out.float() - target).square().flatten(1).mean(1)  # (B,)
        weight = self.loss_weighting(level, self.prediction).to(error)
        return (weight * error).mean()

    def levels(self) -> list[NoiseLevel]:
        """The num_steps + 1 levels that sampling visits."""
        return self.time_grid(self.noise_schedule, self.num_steps)
