"""Composition of the diffusion process; every formula is in its part."""

import math
import warnings

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import SampleRandom, check_range
from mmldm.utils.typing import ConfigType

from .functional import NoiseLevel, add_noise, draw_noise
from .learned_variance import LearnedVariance
from .loss_functions import LossFunction, direction_error
from .loss_weightings import LossWeighting
from .noise_schedules import NoiseSchedule
from .predictions import Prediction
from .solvers import Solver
from .time_grids import TimeGrid
from .timestep_samplers import TimestepSampler

SQUARED_ERROR = dict(type='L2Loss')
KINDS = dict(
    noise_schedule=NoiseSchedule,
    prediction=Prediction,
    loss_function=LossFunction,
    loss_weighting=LossWeighting,
    timestep_sampler=TimestepSampler,
    time_grid=TimeGrid,
    solver=Solver,
    variance=LearnedVariance,
)


@DIFFUSION_SCHEDULERS.register_module()
class DiffusionScheduler:
    """The diffusion process for training and sampling.

    Configs build it as ``diffusion_scheduler``. It is the only owner of the
    noise schedule: training noise, time grid and solver all use it.

    Args:
        noise_schedule: Config of the map from time to noise level.
        prediction: Config of the meaning of the network's output.
        loss_weighting: Config of the weight of each level in training.
        timestep_sampler: Config of the distribution of training times.
        time_grid: Config of the levels that sampling visits.
        solver: Config of the steps from level to level.
        num_steps: Number of steps, in [1, schedule's length].
        loss_function: Config of the cost of an output's error.
        direction_weight: Weight, >= 0, of the error in a velocity's direction,
            to which the loss weighting does not apply; 0 is off.
        offset_noise: Standard deviation, >= 0, of the noise that is constant
            over a channel; 0 is off.
        variance: Config of :class:`LearnedVariance`, for networks with two
            outputs for each latent channel; None for one output.
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
        variance: ConfigType | None = None,
    ) -> None:
        self.noise_schedule = _build('noise_schedule', noise_schedule)
        self.prediction = _build('prediction', prediction)
        self.loss_weighting = _build('loss_weighting', loss_weighting)
        if isinstance(self.loss_weighting, LossWeighting):
            self.loss_weighting = self.loss_weighting.on(self.noise_schedule)
        self.timestep_sampler = _build('timestep_sampler', timestep_sampler)
        self.time_grid = _build('time_grid', time_grid)
        self.solver = _build('solver', solver)
        self.num_steps = num_steps
        self.loss_function = _build('loss_function', loss_function)
        self.direction_weight = direction_weight
        self.offset_noise = offset_noise
        self.variance = variance and _build('variance', variance)
        self._check_parts()
        self.levels()  # finds an invalid num_steps now, not after training

    def sample_level(self, random: SampleRandom) -> NoiseLevel:
        """Random training levels, (B,), from each sample's random numbers."""
        stratified = self.timestep_sampler.stratified
        draw = random.stratified if stratified else random.uniform
        fraction = self.timestep_sampler(draw('time'))
        return self.noise_schedule(self.noise_schedule.timestep(fraction))

    def draw_noise(self, random: SampleRandom, z_0: Tensor) -> Tensor:
        """Random training noise with the shape of ``z_0``, (B, C, h, w)."""
        return draw_noise(random, z_0, self.offset_noise)

    def network_input(
        self, z_t: Tensor, level: NoiseLevel
    ) -> tuple[Tensor, Tensor]:
        """The network's input: scaled latents, and times.

        Args:
            z_t: Noisy latents, (B, C, h, w).
            level: Level of the latents, of shape () or (B,).

        Returns:
            (B, C, h, w) of z_t's dtype, and float32 (B,).
        """
        scale = self.prediction.input_scale(level.match(z_t))
        # float32: bfloat16 turns 501 into 500. It does not wait for a GPU.
        t = level.t.to(z_t.device, torch.float32, non_blocking=True)
        return scale * z_t, t.expand(len(z_t))

    def errors(
        self, out: Tensor, z_0: Tensor, noise: Tensor, level: NoiseLevel
    ) -> Tensor:
        """Weighted errors of the network's output, one for each sample, (B,).

        It is the sum of :meth:`error_terms`, which has the same arguments.
        """
        return sum(self.error_terms(out, z_0, noise, level))

    def error_terms(
        self, out: Tensor, z_0: Tensor, noise: Tensor, level: NoiseLevel
    ) -> tuple[Tensor, Tensor]:
        """Weighted errors of each sample as two terms, each (B,).

        Learned log-variances apply to the first term; the second is the
        variational bound's, see :meth:`LossWeighting.terms`.

        Args:
            out: Output of the network, (B, :attr:`num_outputs` C, h, w).
            z_0: Clean latents, (B, C, h, w).
            noise: Noise that was added, (B, C, h, w).
            level: Level of the noise, (B,).
        """
        target = self.prediction.target(z_0, noise, level)
        whole = out.float()  # under autocast it has 8 bits of mantissa
        out = self._predicted(whole)
        error = self.loss_function(out, target).flatten(1).mean(1)
        simple, bound = (
            error * weight.to(error, non_blocking=True)
            for weight in self._weights(level)
        )
        if self.direction_weight > 0:
            direction = direction_error(out, target)
            simple = simple + self.direction_weight * direction
        if self.variance is not None:
            z_t = add_noise(z_0, noise, level)
            z_0_error = self.to_z_0(whole.detach(), z_t, level) - z_0
            bound = bound + self.variance.loss(
                whole, z_0_error, level, self.noise_schedule
            )
        return simple, bound

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        """The clean latent that a network's output implies, (B, C, h, w).

        Args:
            out: Output of the network, (B, :attr:`num_outputs` C, h, w).
            z_t: Noisy latents, (B, C, h, w).
            level: Level of the latents, of shape () or (B,).
        """
        return self.prediction.to_z_0(self._predicted(out), z_t, level)

    @property
    def num_outputs(self) -> int:
        """Channels of a network's output for each latent channel."""
        return 1 if self.variance is None else 2

    def _predicted(self, out: Tensor) -> Tensor:
        """The part of an output that belongs to the prediction."""
        return out.chunk(self.num_outputs, dim=1)[0]

    def loss(
        self, out: Tensor, z_0: Tensor, noise: Tensor, level: NoiseLevel
    ) -> Tensor:
        """The mean of :meth:`errors` over the batch, ()."""
        return self.errors(out, z_0, noise, level).mean()

    @property
    def simple_weight(self) -> float:
        """Weight of the term of learned log-variances."""
        return getattr(self.loss_weighting, 'simple_weight', 1.0)

    def _weights(self, level: NoiseLevel) -> tuple[Tensor, Tensor]:
        """The terms of the loss weighting, which may be any callable."""
        weighting = self.loss_weighting
        if isinstance(weighting, LossWeighting):
            return weighting.terms(level, self.prediction)
        weight = weighting(level, self.prediction)
        return weight, torch.zeros_like(weight)

    def start(self, noise: Tensor, level: NoiseLevel) -> Tensor:
        """The latents that sampling starts from, (B, C, h, w).

        Args:
            noise: Standard normal noise, (B, C, h, w).
            level: First level of sampling.
        """
        if isinstance(self.time_grid, TimeGrid):
            return self.time_grid.start_std(level) * noise
        return level.sigma * noise

    def levels(self) -> list[NoiseLevel]:
        """The levels of sampling, num_steps + 1 on most grids."""
        return self.time_grid(self.noise_schedule, self.num_steps)

    def _check_parts(self) -> None:
        """Raise if two parts do not fit; name the remedy."""
        for key in ('direction_weight', 'offset_noise'):
            check_range(key, getattr(self, key), 0, math.inf, '; 0 is off')
        prediction = type(self.prediction).__name__
        if self.direction_weight > 0 and not self.prediction.is_velocity:
            raise ValueError(
                f'direction_weight={self.direction_weight} needs a velocity, '
                f'but prediction is {prediction}: set it to 0, or use '
                'VelocityPrediction or FlowPrediction'
            )
        schedule = self.noise_schedule
        if self.variance is not None:
            self.variance.check(schedule)
        if self.prediction.needs_signal and schedule(schedule.last).alpha == 0:
            raise ValueError(
                f'{type(schedule).__name__} ends in pure noise, where '
                f'{prediction} does not determine the latent: use '
                'VelocityPrediction'
            )
        self._warn_of_unweighted_noise()

    def _warn_of_unweighted_noise(self) -> None:
        """Warn if the weight is 0 at pure noise, where sampling starts."""
        noisiest = self.noise_schedule(self.noise_schedule.last)
        if noisiest.alpha > 0:
            return
        weighting = self.loss_weighting
        if weighting(noisiest, self.prediction) == 0:
            warnings.warn(
                f'{type(weighting).__name__} gives time {noisiest.t:g} of '
                f'{type(self.noise_schedule).__name__}, pure noise, the '
                'weight 0, so that the first estimate of sampling is not '
                'trained: use UniformWeighting',
                stacklevel=4,
            )


def _build(key: str, config: ConfigType) -> object:
    """Build a part, of any class except those of another part.

    Raises:
        ValueError: If the config describes another part.
    """
    part = DIFFUSION_SCHEDULERS.build(config)
    if not isinstance(part, KINDS[key]):
        for other, kind in KINDS.items():
            if isinstance(part, kind):
                raise ValueError(
                    f'{key}={type(part).__name__} is a {other}: set {other} '
                    f'to it, and {key} to one of its own types'
                )
    return part
