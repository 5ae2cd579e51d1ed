"""The editor that trains autoencoders."""

from collections.abc import Callable
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils import (
    SampleRandom,
    check_choice,
    check_positive,
    check_range,
)
from mmldm.utils.typing import ConfigType, SampleList

from ..data_preprocessors.ldm_data_preprocessor import to_images
from ..losses.latent_noise import with_noise
from .editor import Editor
from .first_stage_checks import check_large_enough
from .first_stage_hash import ORIGIN
from .first_stage_loading import fit_discriminator, fit_parts
from .first_stage_steps import OptimizerStep, wrappers_by_part

PIXEL_LOSSES = {'l1': F.l1_loss, 'l2': F.mse_loss}


@MODELS.register_module()
class FirstStage(Editor):
    """Trains an autoencoder; Rombach et al. 2022, app. G.

    All loss terms are means over pixel values. The original sums the terms of
    its KL models over an image instead. Relative weights of the terms are the
    same as there, but ``AdversarialLoss.max_adaptive_weight`` is not.

    With ``adversarial`` there are two optimizers: the keys ``autoencoder``
    and ``adversarial`` of an ``OptimWrapperDict``. One iteration is one step
    of both, with one pass through the autoencoder.

    Args:
        autoencoder: The autoencoder to train.
        regularization_weight: Weight of the regularisation of the latents,
            >= 0: 1e-6 for a KL divergence, 1 for a codebook's losses.
        pixel_loss: 'l1' or 'l2'.
        perceptual: ``LPIPS`` or another image distance; None for none.
        perceptual_weight: Weight of the perceptual loss, relative to the
            pixel loss.
        adversarial: Config of ``AdversarialLoss``; None for none.
        equivariance: Config of ``Equivariance``; None for none.
        latent_noise: Noise for which the decoder is trained, in deviations of
            the latents, so that it tolerates the errors of a diffusion model.
            The noise of each image has a random deviation, |N(0, 1)| times
            this; Zheng et al. 2025 (arXiv:2510.11690), section 4.3.
        trained: 'all', or 'decoder' to keep the encoder, so that diffusion
            models of the same latents can use the new decoder.
        data_preprocessor: See :class:`Editor`.
    """

    training_parts = ('perceptual', 'adversarial', 'equivariance')
    averaged_parts = ('autoencoder',)
    #: The parts that ``LDMRunner`` expects an optimizer for.
    averages_gradients = True

    def __init__(
        self,
        autoencoder: ConfigType,
        regularization_weight: float = 1e-6,
        pixel_loss: str = 'l1',
        perceptual: ConfigType | None = None,
        perceptual_weight: float = 1.0,
        adversarial: ConfigType | None = None,
        equivariance: ConfigType | None = None,
        latent_noise: float = 0.0,
        trained: str = 'all',
        data_preprocessor: ConfigType | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        check_choice('pixel_loss', pixel_loss, PIXEL_LOSSES)
        check_positive('perceptual_weight', perceptual_weight)
        check_range('regularization_weight', regularization_weight, 0, inf)
        self.autoencoder = MODELS.build(autoencoder)
        self.regularization_weight = regularization_weight
        self.pixel_loss = PIXEL_LOSSES[pixel_loss]
        self.perceptual = _build(perceptual)
        self.perceptual_weight = perceptual_weight
        self.adversarial = _build(adversarial)
        if self.adversarial is not None:
            _ = self.autoencoder.last_weight  # refused now, not at `start`
        self.equivariance = _build(equivariance)
        check_range('latent_noise', latent_noise, 0, 1)
        self.latent_noise = latent_noise
        check_choice('trained', trained, ('all', 'decoder'))
        self.keeps_encoder = trained == 'decoder'
        self.fixed_parts: list[torch.nn.Module] = []
        self._steps = {
            part: OptimizerStep(getattr(self, part))
            for part in ('autoencoder', 'adversarial')
        }
        if self.keeps_encoder:
            self._fix_encoder()
        self.register_load_state_dict_pre_hook(fit_parts)
        self.register_load_state_dict_pre_hook(fit_discriminator)

    def train(self, mode: bool = True) -> 'FirstStage':
        """See :meth:`nn.Module.train`; what is not trained stays as it is."""
        super().train(mode)
        for part in self.fixed_parts:
            part.eval()
        return self

    def _fix_encoder(self) -> None:
        """Exclude all but the decoding parts from training."""
        parts = self.autoencoder.decoding_parts
        if not parts:
            raise ValueError(
                f"trained='decoder' is not available for "
                f'{type(self.autoencoder).__name__}, which names no '
                "decoding_parts: set trained='all'"
            )
        self.autoencoder.requires_grad_(False)
        for name, part in self.autoencoder.named_children():
            if name in parts:
                part.requires_grad_(True)
            else:
                self.fixed_parts.append(part)
        self.register_buffer(ORIGIN, torch.zeros(32, dtype=torch.uint8))

    def loss(
        self, inputs: Tensor, data_samples: SampleList, iteration: int = 0
    ) -> dict:
        """The loss terms of the autoencoder and the values to log.

        Those that are configured among ``loss_rec``, ``loss_perceptual`` and
        ``loss_adversarial``, and the autoencoder's own: ``loss_kl``, or
        ``loss_codebook`` and ``loss_commit``.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Random addresses.
            iteration: Number of finished iterations. It decides when the
                adversarial loss starts and which transform of latents is used.
        """
        return self._losses(inputs, data_samples, iteration)[0]

    def train_step(self, data: dict, optim_wrapper) -> dict:
        """Make one step of every optimizer and return the values to log.

        Args:
            data: A batch, and ``iteration`` as in :meth:`loss`.
            optim_wrapper: One optimizer wrapper, or one for each trained part.
        """
        data = {'iteration': 0, **self.data_preprocessor(data, True)}
        check_large_enough(self, data['inputs'])
        wrappers = wrappers_by_part(optim_wrapper, self.adversarial)
        wrapper = wrappers['autoencoder']
        with wrapper.optim_context(self):
            losses, x, reference = self._losses(
                **data, loss_scale=getattr(wrapper, 'loss_scale', 1.0)
            )
        loss, logged = self.parse_losses(losses)
        self._steps['autoencoder'](wrapper, loss)
        if self.adversarial and self.adversarial.is_trained(data['iteration']):
            wrapper = wrappers['adversarial']
            with wrapper.optim_context(self):
                losses = self.adversarial.discriminator_losses(x, reference)
            loss, other = self.parse_losses(losses)
            self._steps['adversarial'](wrapper, loss)
            logged.update(other, loss=logged['loss'])
        return logged

    @torch.no_grad()
    def trivial_losses(self, inputs: Tensor) -> dict[str, Tensor]:
        """``loss_rec`` of the batch's mean colour; see :class:`Editor`."""
        colour = inputs.mean((0, 2, 3), keepdim=True).expand_as(inputs)
        return dict(loss_rec=self.pixel_loss(colour, inputs))

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """The data samples with ``gt_img`` and its reconstruction.

        Both are uint8 RGB (3, H, W). ``pred_img`` is decoded from
        ``latent`` (C, h, w), the mode of the posterior. With a codebook,
        ``codes`` (h, w) number its entries, out of ``num_codes``.
        """
        z = self.autoencoder.encode(inputs)
        x = self.autoencoder.decode(z, inputs.shape[2:])
        rows = zip(
            data_samples, to_images(inputs), to_images(x), z, strict=True
        )
        for sample, image, reconstruction, latent in rows:
            sample.gt_img = image
            sample.pred_img = reconstruction
            sample.latent = latent.float()
        if self.autoencoder.num_codes is not None:
            codes = self.autoencoder.codes(z)
            for sample, own in zip(data_samples, codes, strict=True):
                sample.codes = own
                sample.set_metainfo(dict(num_codes=self.autoencoder.num_codes))
        return data_samples

    def _losses(
        self,
        inputs: Tensor,
        data_samples: SampleList,
        iteration: int,
        loss_scale: float = 1,
    ) -> tuple[dict, Tensor, Tensor]:
        """Losses, values to log, decoded images and their targets."""
        random = SampleRandom.of(data_samples)
        transform = self._transform(random, iteration)
        reference = self.autoencoder.pad(inputs)
        coding = self.autoencoder.encode_for_training(
            reference, random.normal('posterior'), lambda z: transform(z, 1)
        )
        z = with_noise(coding.z, self.latent_noise, random)
        x = self.autoencoder.decode_for_training(z)
        reference = transform(reference, self.autoencoder.factor)
        losses = dict(loss_rec=self.pixel_loss(x, reference))
        if self.perceptual is not None:
            distance = self.perceptual(x, reference).mean()
            losses['loss_perceptual'] = self.perceptual_weight * distance
        if self.adversarial:
            weight = self.adversarial.weight_at(iteration)
            error = sum(losses.values())
            losses |= self._adversarial_losses(x, error, weight, loss_scale)
        for name, term in coding.losses.items():
            losses[f'loss_{name}'] = self.regularization_weight * term
        return {**losses, **coding.logs}, x, reference

    def _adversarial_losses(
        self, x: Tensor, error: Tensor, weight: float, loss_scale: float
    ) -> dict:
        """``loss_adversarial``, once it has started, and its weight."""
        # Validation has no graph, and without gradients no adaptive weight.
        if weight == 0 or not x.requires_grad:
            return {}
        loss = self.adversarial.generator_loss(x)
        adaptive = self.adversarial.adaptive_weight(
            error, loss, self.autoencoder.last_weight, loss_scale
        )
        return dict(
            loss_adversarial=weight * adaptive * loss,
            adaptive_weight=adaptive,
        )

    def _transform(
        self, random: SampleRandom, iteration: int
    ) -> Callable[[Tensor, int], Tensor]:
        """A random transform, the same in all processes."""
        if self.equivariance is None:
            return lambda x, unit: x
        seed = random.addresses[0][0]
        return self.equivariance.draw((seed, iteration))


def _build(config: ConfigType | None):
    return None if config is None else MODELS.build(config)
