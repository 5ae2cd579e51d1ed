"""Predictions: the meaning of the network's output.

``z_0_error_scale`` is |d z_0 / d output|^2. It converts a weight of the clean
latent's error to a weight of the output's error, so that a loss weighting need
not know the prediction.
"""

from abc import ABC, abstractmethod

from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

from .functional import NoiseLevel


class Prediction(ABC):
    """The map between a network's output and the clean latent."""

    # Whether ``to_z_0`` divides by alpha, so that alpha must not be 0.
    needs_signal = False
    # Whether the output is the velocity of z_t, which has a direction.
    is_velocity = False

    def input_scale(self, level: NoiseLevel) -> Tensor:
        """The factor of z_t in the network's input.

        It has the shape of ``level.alpha``.
        """
        return level.alpha.new_ones(level.alpha.shape)

    @abstractmethod
    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        """The ideal output of the network, (B, C, h, w)."""

    @abstractmethod
    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        """The clean latent that an output implies, (B, C, h, w)."""

    @abstractmethod
    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        """|d z_0 / d output|^2, with the shape of ``level.alpha``."""


@DIFFUSION_SCHEDULERS.register_module()
class EpsilonPrediction(Prediction):
    """The output is the noise; Ho et al. 2020, eq. 14."""

    needs_signal = True

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        return noise

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_t)
        return (z_t - level.sigma * out) / level.alpha

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return (level.sigma / level.alpha).square()


@DIFFUSION_SCHEDULERS.register_module()
class SamplePrediction(Prediction):
    """The output is the clean latent."""

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        return z_0

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        return out

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return level.alpha.new_ones(level.alpha.shape)


@DIFFUSION_SCHEDULERS.register_module()
class VelocityPrediction(Prediction):
    """The output is v = alpha noise - sigma z_0; Salimans & Ho 2022, app. D.

    The formulas hold for alpha^2 + sigma^2 != 1, too.
    """

    is_velocity = True

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_0)
        return level.alpha * noise - level.sigma * z_0

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_t)
        norm = level.alpha.square() + level.sigma.square()
        return (level.alpha * z_t - level.sigma * out) / norm

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        norm = level.alpha.square() + level.sigma.square()
        return (level.sigma / norm).square()


@DIFFUSION_SCHEDULERS.register_module()
class FlowPrediction(Prediction):
    """The output is noise - z_0, the velocity of Liu et al. 2022."""

    is_velocity = True

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        return noise - z_0

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_t)
        return (z_t - level.sigma * out) / (level.alpha + level.sigma)

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return (level.sigma / (level.alpha + level.sigma)).square()


@DIFFUSION_SCHEDULERS.register_module()
class EDMPrediction(Prediction):
    """Input and target have variance 1; Karras et al. 2022, table 1.

    arXiv:2206.00364. z_0 = c_skip z_t + c_out out, where the network's input
    is c_in z_t; the formulas hold for any alpha, which is 1 in the paper. With
    ``UniformWeighting``, the loss is the paper's, where lambda(sigma) is
    1 / c_out^2.

    Args:
        data_std: Standard deviation of clean latents, > 0; it is 1 for scaled
            latents (``LatentScaleHook``).
    """

    def __init__(self, data_std: float = 0.5) -> None:
        check_positive('data_std', data_std)
        self.data_std = data_std

    def input_scale(self, level: NoiseLevel) -> Tensor:
        return 1 / self._std(level)

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_0)
        # (z_0 - c_skip z_t) / c_out, without cancellation.
        speed = level.sigma * z_0 - self.data_std**2 * level.alpha * noise
        return speed / (self.data_std * self._std(level))

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_t)
        std = self._std(level)
        skip = self.data_std**2 * level.alpha / std.square()
        return skip * z_t + level.sigma * self.data_std / std * out

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return (level.sigma * self.data_std / self._std(level)).square()

    def _std(self, level: NoiseLevel) -> Tensor:
        """Standard deviation of z_t."""
        signal = self.data_std * level.alpha
        return (signal.square() + level.sigma.square()).sqrt()
