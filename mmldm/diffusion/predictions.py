"""What the network's output stands for.

``z_0_error_scale`` is |d z_0 / d output|^2: it converts a weight on the
error of the clean latent into one on the error of the output, so that a loss
weighting need not know the prediction.
"""

from abc import ABC, abstractmethod

from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS

from .functional import NoiseLevel


class Prediction(ABC):
    """The map between a network's output and the clean latent."""

    @abstractmethod
    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        """What the network should have output, (B, C, h, w)."""

    @abstractmethod
    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        """The clean latent that an output implies, (B, C, h, w)."""

    @abstractmethod
    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        """|d z_0 / d output|^2, of the shape of ``level.alpha``."""


@DIFFUSION_SCHEDULERS.register_module()
class EpsilonPrediction(Prediction):
    """The noise; Ho et al. 2020, eq. 14."""

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        return noise

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_t)
        return (z_t - level.sigma * out) / level.alpha

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return (level.sigma / level.alpha).square()


@DIFFUSION_SCHEDULERS.register_module()
class SamplePrediction(Prediction):
    """The clean latent itself."""

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        return z_0

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        return out

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return level.alpha.new_ones(level.alpha.shape)


@DIFFUSION_SCHEDULERS.register_module()
class VelocityPrediction(Prediction):
    """v = alpha noise - sigma z_0; Salimans & Ho 2022, app. D.

    Also for alpha^2 + sigma^2 != 1.
    """

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
    """noise - z_0, the speed along a straight path; Liu et al. 2022."""

    def target(self, z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        return noise - z_0

    def to_z_0(self, out: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        level = level.match(z_t)
        return (z_t - level.sigma * out) / (level.alpha + level.sigma)

    def z_0_error_scale(self, level: NoiseLevel) -> Tensor:
        return (level.sigma / (level.alpha + level.sigma)).square()
