"""Guidance by the gradient of any differentiable function.

This is control without retraining: log p(y | z_t) may come from a classifier,
or from the agreement of the predicted image with a given one.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mmldm.utils import check_range

from ..functional import NoiseLevel
from ..solvers import Denoise

# (z_0, z_t, level) -> log p(y | z_t) up to a constant, (B,).
LogProb = Callable[[Tensor, Tensor, NoiseLevel], Tensor]


class GradientGuidance:
    """Guidance by the gradient of log p(y | z_t): denoise -> denoise.

    The estimate is z_0 + scale sigma^2 / alpha grad_{z_t} log p(y | z_t). With
    the exact log-probability and scale 1, it is E[z_0 | z_t, y], by Bayes'
    rule for the score and Tweedie's formula. Dhariwal & Nichol 2021, alg. 2
    (arXiv:2105.05233); Rombach et al. 2022, app. C, eq. 16. It wraps any
    estimate, also a guided one, and differentiates through it:

        model.sample(samples, wrap=GradientGuidance(log_prob, scale=2.0))

    Args:
        log_prob: (z_0, z_t, level) -> log p(y | z_t) up to a constant, (B,);
            a function of the estimate z_0(z_t) or of z_t itself.
        scale: Factor of the gradient, >= 0; 0 is off.

    Raises:
        ValueError: If the scale is negative, or, in sampling, if
            ``log_prob`` has no gradient or is not one value a sample.
    """

    def __init__(self, log_prob: LogProb, scale: float = 1.0) -> None:
        check_range('scale', scale, 0, math.inf, '; 0 is off')
        self.log_prob = log_prob
        self.scale = scale

    def __call__(self, denoise: Denoise) -> Denoise:
        """The guided estimate, which needs the memory of a training step."""

        def guided(z_t: Tensor, level: NoiseLevel) -> Tensor:
            # At pure noise, alpha = 0, and so is the gradient.
            if self.scale == 0 or level.alpha == 0:
                return denoise(z_t, level)
            z_0, gradient = self._gradient(denoise, z_t, level)
            weight = self.scale * level.sigma.square() / level.alpha
            return z_0 + weight * gradient

        return guided

    def _gradient(
        self, denoise: Denoise, z_t: Tensor, level: NoiseLevel
    ) -> tuple[Tensor, Tensor]:
        """The estimate and the gradient at z_t, both without a graph."""
        with torch.enable_grad():  # sampling disables gradients
            z_t = z_t.detach().requires_grad_()
            z_0 = denoise(z_t, level)
            log_prob = self.log_prob(z_0, z_t, level)
            _check_log_prob(log_prob, len(z_t))
            # Only the gradient of z_t: those of weights are not changed.
            (gradient,) = torch.autograd.grad(log_prob.sum(), z_t)
        return z_0.detach(), gradient


def _check_log_prob(log_prob: Tensor, batch: int) -> None:
    if log_prob.shape != (batch,):
        raise ValueError(
            f'log_prob has the shape {tuple(log_prob.shape)}, expected '
            f'({batch},): sum over all axes but the first'
        )
    if not log_prob.requires_grad:
        raise ValueError(
            'log_prob has no gradient: compute it from z_0 or z_t without '
            'detach, rounding, indices or torch.no_grad'
        )


def image_log_prob(
    decode: Callable[[Tensor], Tensor],
    transform: Callable[[Tensor], Tensor],
    target: Tensor,
) -> LogProb:
    """-0.5 |y - T(D(z_0(z_t)))|^2; Rombach et al. 2022, app. C, eq. 15.

    T of the predicted image shall equal y, up to noise of unit variance; the
    scale of :class:`GradientGuidance` is 1 / variance.

    Args:
        decode: D, a map from latents (B, C, h, w) to images, such as
            ``model.autoencoder.decode``.
        transform: T, a differentiable map from images to known features of
            them, such as ``lambda x: F.avg_pool2d(x, 4)`` or grey values.
        target: y, with the shape of T's result.
    """

    def log_prob(z_0: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        seen = transform(decode(z_0))
        if seen.shape != target.shape:
            raise ValueError(
                f'transform gives the shape {tuple(seen.shape)}, but target '
                f'has {tuple(target.shape)}: give both one shape'
            )
        return -0.5 * (target - seen).square().flatten(1).sum(1)

    return log_prob


def classifier_log_prob(
    classify: Callable[[Tensor, NoiseLevel], Tensor], labels: Tensor
) -> LogProb:
    """log p(label | z_t) of a classifier of noisy latents.

    Dhariwal & Nichol 2021, section 4.

    Args:
        classify: (z_t, level) -> logits (B, classes), such as
            ``LatentClassification.classify``.
        labels: The wanted classes, (B,) integers.
    """

    def log_prob(z_0: Tensor, z_t: Tensor, level: NoiseLevel) -> Tensor:
        log_probs = classify(z_t, level).log_softmax(dim=1)
        wanted = labels.to(log_probs.device)[:, None]
        return log_probs.gather(1, wanted)[:, 0]

    return log_prob
