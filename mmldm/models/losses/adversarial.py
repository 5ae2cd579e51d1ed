"""A patch discriminator, and its adversarial loss for autoencoders."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.func import functional_call

from mmldm.registry import MODELS
from mmldm.utils import check_choice, check_positive
from mmldm.utils.typing import ConfigType


class _MeanOverProcesses(torch.autograd.Function):
    """Averages a tensor, and its gradient, over the processes."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        x = x.clone()
        all_reduce(x, 'mean')
        return x

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        grad = grad.clone()
        all_reduce(grad, 'mean')
        return grad


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the batch of *all* processes.

    Two processes thus normalise as one process would; torch's
    ``SyncBatchNorm`` needs a GPU. All processes must have batches of the same
    size. Gradients are those of a loss that is a mean over the processes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        if not self.training or get_world_size() == 1:
            return super().forward(x)
        h = x.float()
        mean = _MeanOverProcesses.apply(h.mean((0, 2, 3)))
        h = h - mean[:, None, None]
        var = _MeanOverProcesses.apply(h.square().mean((0, 2, 3)))
        self._track(mean.detach(), var.detach(), x.numel() // x.shape[1])
        gain = self.weight * (var + self.eps).rsqrt()
        out = h * gain[:, None, None] + self.bias[:, None, None]
        return out.to(x.dtype)

    def _track(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Update the running statistics; ``count`` is that of one process."""
        count *= get_world_size()
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * count / (count - 1), self.momentum)


@MODELS.register_module()
class PatchDiscriminator(nn.Sequential):
    """Judges overlapping patches; Isola et al. 2017 (arXiv:1611.07004).

    Args:
        channels: Channels of the first layer. Each further layer doubles
            them, up to eight times as many.
        num_layers: Number of layers that halve the image.
    """

    def __init__(self, channels: int = 64, num_layers: int = 3) -> None:
        check_positive('discriminator.num_layers', num_layers)
        widths = [channels * min(2**i, 8) for i in range(num_layers + 1)]
        layers = [nn.Conv2d(3, channels, 4, stride=2, padding=1)]
        for i in range(1, num_layers + 1):
            layers += [
                nn.LeakyReLU(0.2),
                nn.Conv2d(
                    widths[i - 1],
                    widths[i],
                    4,
                    stride=2 if i < num_layers else 1,
                    padding=1,
                    bias=False,
                ),
                GlobalBatchNorm2d(widths[i]),
            ]
        layers += [
            nn.LeakyReLU(0.2),
            nn.Conv2d(widths[-1], 1, 4, padding=1),
        ]
        super().__init__(*layers)
        self.apply(_init)
        # Each of the two layers with stride 1 costs one position.
        self.min_size = 3 * 2**num_layers

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 1, h, w), high for real images, of images (B, 3, H, W).

        Raises:
            ValueError: If the images are smaller than a patch.
        """
        if min(x.shape[2:]) < self.min_size:
            raise ValueError(
                f'the discriminator gets images of {tuple(x.shape[2:])} '
                f'pixels, but needs {self.min_size}: set '
                'model.adversarial.discriminator.num_layers lower'
            )
        return super().forward(x)


def _init(module: nn.Module) -> None:
    """Initialise as in Radford et al. 2016 (arXiv:1511.06434), section 3."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _hinge(real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


def _linear(fake: Tensor) -> Tensor:
    return -fake.mean()


def _non_saturating(fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean()


# Losses of discriminator and autoencoder. Sources: Lim & Ye 2017
# (arXiv:1705.02894); 'vanilla' of the original latent diffusion; Goodfellow et
# al. 2014 (arXiv:1406.2661), section 3.
GAN_LOSSES = {
    'hinge': (_hinge, _linear),
    'vanilla': (_cross_entropy, _linear),
    'non_saturating': (_cross_entropy, _non_saturating),
}


@MODELS.register_module()
class AdversarialLoss(BaseModule):
    """A discriminator with its loss and schedule; Esser et al. 2021.

    Iterations are those of the training loop, counted from 0. The original
    counts steps of the optimizer; multiply by ``accumulative_counts``.

    Args:
        discriminator: Config of the network that tells images from
            reconstructions.
        weight: Weight of the autoencoder's loss, times the adaptive weight.
        start: First iteration whose autoencoder loss has an adversarial term.
        lead: Number of iterations before ``start`` that train only the
            discriminator, so that it is not random at ``start``.
        ramp: Number of iterations in which ``weight`` rises from 0 to its
            value.
        loss: A key of ``GAN_LOSSES``.
        max_adaptive_weight: Largest value of :meth:`adaptive_weight`.
    """

    def __init__(
        self,
        discriminator: ConfigType,
        weight: float,
        start: int = 0,
        lead: int = 0,
        ramp: int = 0,
        loss: str = 'hinge',
        max_adaptive_weight: float = 1e4,
    ) -> None:
        super().__init__()
        check_choice('adversarial.loss', loss, GAN_LOSSES)
        check_positive('adversarial.weight', weight)
        for name, value in dict(start=start, lead=lead, ramp=ramp).items():
            if value < 0:
                raise ValueError(f'adversarial.{name}={value} must be >= 0')
        self.discriminator = MODELS.build(discriminator)
        self.weight = weight
        self.start = start
        self.lead = lead
        self.ramp = ramp
        self.losses = GAN_LOSSES[loss]
        self.max_adaptive_weight = max_adaptive_weight

    def weight_at(self, iteration: int) -> float:
        """0 before ``start``, then a weight that rises to ``weight``."""
        done = iteration - self.start + 1
        return self.weight * min(max(done, 0) / max(self.ramp, 1), 1.0)

    def is_trained(self, iteration: int) -> bool:
        """Whether the discriminator is trained in an iteration."""
        return iteration >= self.start - self.lead

    def generator_loss(self, x: Tensor) -> Tensor:
        """Loss of reconstructions (B, 3, H, W) that do not seem real, ().

        The discriminator gets no gradients.
        """
        frozen = {
            name: weight.detach()
            for name, weight in self.discriminator.named_parameters()
        }
        fake = functional_call(self.discriminator, frozen, x)
        return self.losses[1](fake.float())

    def discriminator_losses(self, x: Tensor, reference: Tensor) -> dict:
        """``loss_discriminator``, and the mean logits of real and fake images.

        Both go through the network separately, each with its own batch
        statistics, as in the original.
        """
        real = self.discriminator(reference).float()
        fake = self.discriminator(x.detach()).float()
        return dict(
            loss_discriminator=self.losses[0](real, fake),
            logits_real=real.detach().mean(),
            logits_fake=fake.detach().mean(),
        )

    def adaptive_weight(
        self,
        error: Tensor,
        adversarial: Tensor,
        last_weight: Tensor,
        loss_scale: float = 1.0,
    ) -> Tensor:
        """The weight that balances both gradients at the last layer, ().

        |d error| / (|d adversarial| + 1e-4), at most ``max_adaptive_weight``;
        Esser et al. 2021 (arXiv:2012.09841), eq. 7. Gradients are those of
        the batch of all processes. They are computed at ``loss_scale`` or
        less, so that they neither vanish nor overflow in float16.
        """
        pulls = [
            _gradient_norm(loss, last_weight, loss_scale)
            for loss in (error, adversarial)
        ]
        ratio = pulls[0] / (pulls[1] + 1e-4)
        return ratio.clamp(max=self.max_adaptive_weight).detach()


def _gradient_norm(loss: Tensor, weight: Tensor, scale: float) -> Tensor:
    """Norm of d loss / d weight over all processes, ()."""
    while True:
        (grad,) = torch.autograd.grad(loss * scale, weight, retain_graph=True)
        all_reduce(grad, 'mean')
        norm = grad.norm() / scale
        # A scale of 1, as in float32 and bfloat16, needs no synchronisation.
        if scale <= 1 or norm.isfinite():
            return norm
        scale /= 16
