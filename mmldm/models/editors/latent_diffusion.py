"""The editor of every latent diffusion task; a task is a config."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmldm.diffusion import NoGuidance, NoiseLevel, add_noise
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition
from mmldm.utils import Draws, check_divisible
from mmldm.utils.typing import ConfigType, SampleList

from ..data_preprocessors.ldm_data_preprocessor import to_images
from .editor import Editor
from .frozen_first_stage import FrozenFirstStage


@MODELS.register_module()
class LatentDiffusion(FrozenFirstStage, Editor):
    """Latent diffusion model; Rombach et al. 2022 (arXiv:2112.10752).

    Args:
        autoencoder: The first stage, which stays frozen.
        denoiser: The network that learns.
        conditioner: Data samples to the denoiser's condition.
        diffusion_scheduler: Noise, loss and sampling.
        guidance: How conditions act in sampling.
        log_variance: Weighs every time step by its learned uncertainty.
        autoencoder_checkpoint: File with the first stage's weights. Where
            given, checkpoints of this model hold their hash in their stead.
        data_preprocessor: See :class:`Editor`.

    Raises:
        ValueError: If the parts do not fit each other.
    """

    def __init__(
        self,
        autoencoder: ConfigType,
        denoiser: ConfigType,
        conditioner: ConfigType,
        diffusion_scheduler: ConfigType,
        guidance: ConfigType,
        log_variance: ConfigType | None = None,
        autoencoder_checkpoint: str | None = None,
        data_preprocessor: ConfigType | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.denoiser = MODELS.build(denoiser)
        self.conditioner = MODELS.build(conditioner)
        self.diffusion_scheduler = DIFFUSION_SCHEDULERS.build(
            diffusion_scheduler
        )
        self.guidance = DIFFUSION_SCHEDULERS.build(guidance)
        self.log_variance = None
        if log_variance is not None:
            self.log_variance = self._build_log_variance(log_variance)
        self.init_first_stage(
            MODELS.build(autoencoder), autoencoder_checkpoint
        )
        self._check_parts()

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict:
        """The training loss, ``loss_denoise`` ().

        Where log-variances are learned, ``error`` () is what they weigh.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Conditions, and addresses of what is drawn.
        """
        self._check_size(inputs.shape[2:])
        draws = Draws.of(data_samples)
        with torch.no_grad():
            z_0 = self.autoencoder.encode(inputs, draws.normal('posterior'))
        cond = self.conditioner(data_samples, draws)
        scheduler = self.diffusion_scheduler
        level = scheduler.sample_level(draws)
        noise = scheduler.draw_noise(draws, z_0)
        z_t = add_noise(z_0, noise, level)
        out = self._output(self.denoiser, z_t, level, cond)
        errors = scheduler.errors(out, z_0, noise, level)
        if self.log_variance is None:
            return dict(loss_denoise=errors.mean())
        return dict(
            loss_denoise=self.log_variance(errors, level.t).mean(),
            error=errors.mean().detach(),
        )

    @torch.no_grad()
    def predict(
        self, inputs: Tensor | None, data_samples: SampleList
    ) -> SampleList:
        """The data samples with ``pred_img``, uint8 RGB (3, H, W).

        Args:
            inputs: Not used: what to generate is in the data samples.
            data_samples: Conditions, ``img_shape`` (H, W) of the wanted
                images and addresses of what is drawn.
        """
        images = to_images(self.autoencoder.decode(self.sample(data_samples)))
        for sample, image in zip(data_samples, images, strict=True):
            sample.pred_img = image
        return data_samples

    @torch.no_grad()
    def sample(self, data_samples: SampleList) -> Tensor:
        """Latents drawn for the data samples, (B, C, h, w)."""
        scheduler = self.diffusion_scheduler
        draws = Draws.of(data_samples)
        cond = self.conditioner(data_samples)
        null = self.conditioner.null(data_samples)
        denoise = self.guidance(self.predict_z_0, cond, null)
        levels = scheduler.levels()
        z = self._empty_latents(data_samples)
        z = levels[0].sigma * draws.normal('start')(z)
        return scheduler.solver(
            denoise, z, levels, draws.normal_stream('solver')
        )

    def predict_z_0(
        self, z_t: Tensor, level: NoiseLevel, cond: Condition
    ) -> Tensor:
        """The estimate of z_0 at one level for the batch, (B, C, h, w)."""
        out = self._output(self.denoiser, z_t, level, cond)
        return self.diffusion_scheduler.prediction.to_z_0(out, z_t, level)

    def _output(
        self,
        denoiser: nn.Module,
        z_t: Tensor,
        level: NoiseLevel,
        cond: Condition,
    ) -> Tensor:
        """A network's output for one level or one a sample, float32."""
        prediction = self.diffusion_scheduler.prediction
        scale = prediction.input_scale(level.match(z_t))
        t = level.t.to(z_t).expand(len(z_t))
        # float32: solvers subtract nearly equal numbers.
        return denoiser(scale * z_t, t, cond).float()

    def _build_log_variance(self, config: ConfigType) -> nn.Module:
        """A table of the noise schedule's length."""
        length = self.diffusion_scheduler.noise_schedule.num_timesteps
        given = config.get('num_timesteps', length)
        if given != length:
            raise ValueError(
                f'log_variance.num_timesteps={given}, but the noise schedule '
                f'has {length}: leave it out'
            )
        return MODELS.build({**config, 'num_timesteps': length})

    def _empty_latents(self, data_samples: SampleList) -> Tensor:
        sizes = {
            tuple(sample.get('img_shape', ()))[:2] for sample in data_samples
        }
        if len(sizes) != 1 or () in sizes:
            raise ValueError(
                f'a batch asks for images of sizes {sorted(sizes)}: give all '
                'its data samples one img_shape, (H, W)'
            )
        (size,) = sizes
        self._check_size(size)
        factor = self.autoencoder.factor
        device = next(self.denoiser.parameters()).device
        return torch.empty(
            len(data_samples),
            self.autoencoder.latent_channels,
            *(pixels // factor for pixels in size),
            device=device,
        )

    def _check_size(self, size: Sequence[int]) -> None:
        """Raise unless images of (H, W) pixels can be halved all the way."""
        for name, pixels in zip(('height', 'width'), size, strict=True):
            check_divisible(
                f'image {name}',
                pixels,
                'the factor of autoencoder and denoiser together',
                self.autoencoder.factor * self.denoiser.factor,
            )

    def _check_parts(self) -> None:
        """Raise where two parts do not fit, with the remedy."""
        latent = self.autoencoder.latent_channels
        spatial = self.conditioner.dim('spatial') or 0
        _check_fit(
            'in_channels',
            self.denoiser.in_channels,
            latent + spatial,
            f'the autoencoder yields {latent} latent channels and the '
            f'conditioner concatenates {spatial}',
        )
        _check_fit(
            'out_channels',
            self.denoiser.out_channels,
            latent,
            f'the autoencoder yields {latent} latent channels',
        )
        for key, slot in (('context_dim', 'tokens'), ('vector_dim', 'vector')):
            dim = self.conditioner.dim(slot)
            _check_fit(
                key,
                getattr(self.denoiser, key),
                dim,
                f'the conditioner yields {slot} of dimension {dim}',
            )
        if isinstance(self.guidance, NoGuidance):
            return
        guidance = type(self.guidance).__name__
        if not self.conditioner.embedders:
            raise ValueError(
                f'guidance is {guidance}, but the conditioner has no '
                "embedders: set guidance=dict(_delete_=True, type='NoGuidance'"
                ')'
            )
        if self.conditioner.drop_prob == 0:
            warnings.warn(
                f'{guidance} needs a null condition, which is not trained '
                'with conditioner.drop_prob=0: train with drop_prob=0.1',
                stacklevel=3,
            )


def _check_fit(
    key: str, value: int | None, needed: int | None, cause: str
) -> None:
    if value != needed:
        raise ValueError(
            f'denoiser.{key}={value}, but {cause}: set denoiser.{key}={needed}'
        )
