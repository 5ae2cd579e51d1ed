"""The composition of the axes; every formula lives in its part."""

from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import Draws
from mmldm.utils.typing import ConfigType

from .functional import NoiseLevel, draw_noise
from .loss_functions import direction_error
from .loss_weightings import LossWeighting

SQUARED_ERROR = dict(type='L2Loss')


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
        loss_function: What an error of the network's output costs.
        direction_weight: Of the error in the direction of a velocity, which
            no loss weighting weighs, >= 0; 0 is off.
        offset_noise: Standard deviation of the noise that a channel has in
            common, >= 0; 0 is off.
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
        loss_function: ConfigType = SQUARED_ERROR,
        direction_weight: float = 0.0,
        offset_noise: float = 0.0,
    ) -> None:
        build = DIFFUSION_SCHEDULERS.build
        self.noise_schedule = build(noise_schedule)
        self.prediction = build(prediction)
        self.loss_weighting = build(loss_weighting)
        if isinstance(self.loss_weighting, LossWeighting):
            self.loss_weighting = self.loss_weighting.on(self.noise_schedule)
        self.timestep_sampler = build(timestep_sampler)
        self.time_grid = build(time_grid)
        self.solver = build(solver)
        self.num_steps = num_steps
        self.loss_function = build(loss_function)
        self.direction_weight = direction_weight
        self.offset_noise = offset_noise
        self._check_parts()
        self.levels()  # a bad num_steps is known now, not after training

    def sample_level(self, draws: Draws) -> NoiseLevel:
        """Training levels (B,) of what each sample draws."""
        stratified = self.timestep_sampler.stratified
        draw = draws.stratified if stratified else draws.uniform
        fraction = self.timestep_sampler(draw('time'))
        return self.noise_schedule(self.noise_schedule.timestep(fraction))

    def draw_noise(self, draws: Draws, z_0: Tensor) -> Tensor:
        """Training noise of the shape of latents, (B, C, h, w)."""
        return draw_noise(draws, z_0, self.offset_noise)

    def errors(
        self, out: Tensor, z_0: Tensor, noise: Tensor, level: NoiseLevel
    ) -> Tensor:
        """Weighted error of the network's output for each sample, (B,).

        Args:
            out: Output of the network, (B, C, h, w).
            z_0: Clean latents, (B, C, h, w).
            noise: The noise added to them, (B, C, h, w).
            level: The level it was added at, (B,).
        """
        target = self.prediction.target(z_0, noise, level)
        out = out.float()  # under autocast it has 8 bits of mantissa
        error = self.loss_function(out, target).flatten(1).mean(1)
        error = error * self.loss_weighting(level, self.prediction).to(error)
        if self.direction_weight == 0:
            return error
        return error + self.direction_weight * direction_error(out, target)

    def loss(
        self, out: Tensor, z_0: Tensor, noise: Tensor, level: NoiseLevel
    ) -> Tensor:
        """The mean of :meth:`errors` over the batch, ()."""
        return self.errors(out, z_0, noise, level).mean()

    def levels(self) -> list[NoiseLevel]:
        """The num_steps + 1 levels that sampling visits."""
        return self.time_grid(self.noise_schedule, self.num_steps)

    def _check_parts(self) -> None:
        """Raise where two parts do not fit, with the remedy."""
        for key in ('direction_weight', 'offset_noise'):
            if getattr(self, key) < 0:
                raise ValueError(
                    f'{key}={getattr(self, key)} must be >= 0; 0 is off'
                )
        prediction = type(self.prediction).__name__
        if self.direction_weight > 0 and not self.prediction.is_velocity:
            raise ValueError(
                f'direction_weight={self.direction_weight} compares '
                f'velocities, but prediction is {prediction}: set it to 0, or '
                'take VelocityPrediction or FlowPrediction'
            )
        schedule = self.noise_schedule
        if self.prediction.needs_signal and schedule(schedule.last).alpha == 0:
            raise ValueError(
                f'{type(schedule).__name__} ends in noise alone, of which '
                f'{prediction} says nothing of the latent: take '
                'VelocityPrediction'
            )
