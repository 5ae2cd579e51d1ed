"""The editor of every latent diffusion task; a task is a config."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmldm.diffusion import NoiseLevel, add_noise
from mmldm.diffusion.solvers import Denoise
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition
from mmldm.utils import Draws
from mmldm.utils.image_size import Size, check_size
from mmldm.utils.typing import ConfigType, SampleList

from ..data_preprocessors.ldm_data_preprocessor import to_images
from .derived import FILLED_IN, build_networks
from .editor import Editor
from .frozen_first_stage import FrozenFirstStage
from .guide import Guided
from .image_editing import ImageEditing
from .part_checks import check_denoiser, check_spatial, drawn_size


@MODELS.register_module()
class LatentDiffusion(ImageEditing, Guided, FrozenFirstStage, Editor):
    """Latent diffusion model; Rombach et al. 2022 (arXiv:2112.10752).

    Args:
        denoiser: The network that learns.
        conditioner: Data samples to the denoiser's condition.
        diffusion_scheduler: Noise, loss and sampling.
        guidance: How conditions act in sampling.
        autoencoder: The first stage, which stays frozen. Tools and
            ``mmldm.apis`` read what is not given of it in
            ``autoencoder_checkpoint``.
        log_variance: Weighs every time step by its learned uncertainty.
        autoencoder_checkpoint: File with the first stage's weights. Where
            given, checkpoints of this model hold their hash in their stead.
        guide: Denoiser of a weaker model, for :class:`AutoGuidance`.
        guide_checkpoint: File or work directory of that model, a
            ``LatentDiffusion``; it is no part of this model's checkpoints.
        image_size: The images that it was trained on, and draws where a data
            sample does not say ``img_shape``: side of a square, or height
            and width, pixels.
        windows: :class:`Windows`, by which large images are drawn; None draws
            them whole.
        data_preprocessor: See :class:`Editor`.

    Raises:
        ValueError: If the parts do not fit each other.
    """

    training_parts = ('log_variance',)
    averaged_parts = ('denoiser', 'conditioner')
    needs_average = True
    fills_in = FILLED_IN

    def __init__(
        self,
        denoiser: ConfigType,
        conditioner: ConfigType,
        diffusion_scheduler: ConfigType,
        guidance: ConfigType,
        autoencoder: ConfigType | None = None,
        log_variance: ConfigType | None = None,
        autoencoder_checkpoint: str | None = None,
        guide: ConfigType | None = None,
        guide_checkpoint: str | None = None,
        image_size: Size | None = None,
        windows: ConfigType | None = None,
        data_preprocessor: ConfigType | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.init_first_stage(autoencoder, autoencoder_checkpoint)
        self.denoiser, self.conditioner = build_networks(
            denoiser, conditioner, self.autoencoder
        )
        self.diffusion_scheduler = DIFFUSION_SCHEDULERS.build(
            diffusion_scheduler
        )
        self.guidance = DIFFUSION_SCHEDULERS.build(guidance)
        if image_size is not None:
            check_size('model.image_size', image_size)
        self.image_size = image_size
        self.windows = windows and DIFFUSION_SCHEDULERS.build(windows)
        self._warned = False
        self.log_variance = None
        if log_variance is not None:
            self.log_variance = self._build_log_variance(log_variance)
        self.init_guide(guide, conditioner, guide_checkpoint)
        self._check_parts()

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict:
        """The training loss, ``loss_denoise`` ().

        Where log-variances are learned, ``error`` () is what they weigh.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Conditions, and addresses of what is drawn.
        """
        self._warn_of_untrained_null()
        draws = Draws.of(data_samples)
        with torch.no_grad():
            z_0 = self.autoencoder.encode(inputs, draws.normal('posterior'))
            z_0 = z_0.float()  # whatever the networks' dtype
        cond = self.conditioner(data_samples, draws, self.autoencoder.encode)
        check_spatial(cond, z_0, data_samples)
        scheduler = self.diffusion_scheduler
        level = scheduler.sample_level(draws)
        noise = scheduler.draw_noise(draws, z_0)
        z_t = add_noise(z_0, noise, level)
        out = self._output(self.denoiser, z_t, level, cond)
        errors, bound = scheduler.error_terms(out, z_0, noise, level)
        if self.log_variance is None:
            return dict(loss_denoise=(errors + bound).mean())
        weighed = self.log_variance(errors, level.t, scheduler.simple_weight)
        return dict(
            loss_denoise=(weighed + bound).mean(),
            error=(errors + bound).mean().detach(),
        )

    @torch.no_grad()
    def predict(
        self, inputs: Tensor | None, data_samples: SampleList
    ) -> SampleList:
        """The data samples with ``pred_img``; see also :meth:`with_known`.

        Args:
            inputs: Not used: what to generate is in the data samples.
            data_samples: Conditions, ``img_shape`` (H, W) of the wanted
                images unless ``image_size`` says it, and addresses of what is
                drawn.
        """
        z = self.sample(data_samples)
        x = self.autoencoder.decode(
            z, drawn_size(data_samples, self.image_size)
        )
        images = self.with_known(to_images(x), data_samples)
        for sample, image in zip(data_samples, images, strict=True):
            sample.pred_img = image
        return data_samples

    @torch.no_grad()
    def sample(
        self,
        data_samples: SampleList,
        start: Tensor | None = None,
        levels: Sequence[NoiseLevel] | None = None,
        wrap: Callable[[Denoise], Denoise] | None = None,
    ) -> Tensor:
        """Latents drawn for the data samples, (B, C, h, w).

        Args:
            data_samples: Conditions, and addresses of what is drawn; without
                ``start`` the ``img_shape`` (H, W) of the images too, unless
                ``image_size`` says it.
            start: Latents at ``levels[0]``, (B, C, h, w); None for noise.
            levels: What the solver visits; None for the time grid's levels.
            wrap: Changes what the solver calls, such as
                :class:`GradientGuidance`.
        """
        scheduler = self.diffusion_scheduler
        draws = Draws.of(data_samples)
        levels = scheduler.levels() if levels is None else levels
        if start is None:
            empty = self._empty_latents(data_samples)
            noise = draws.normal('start')(empty)
            start = scheduler.start(noise, levels[0])
        denoise = self.denoise_for(data_samples)
        return scheduler.solver(
            denoise if wrap is None else wrap(denoise),
            start,
            levels,
            draws.normal_stream('solver'),
        )

    def denoise_for(self, data_samples: SampleList) -> Denoise:
        """(z_t, level) -> the guided estimate of z_0 for data samples.

        Raises:
            ValueError: If a sample has a negative which guidance ignores;
                in a call, if a spatial condition is not as large as z_t.
        """
        encode = self.autoencoder.encode
        cond = null = self.conditioner(data_samples, encode=encode)
        if self.guidance.needs_null:
            null = self.conditioner.null(data_samples, encode)
        elif any(sample.negative is not None for sample in data_samples):
            raise ValueError(
                'a data sample has a negative, of which '
                f'{type(self.guidance).__name__} takes no notice: leave it '
                "out, or set guidance=dict(_delete_=True, type='Classifier"
                "FreeGuidance', scale=2.0)"
            )
        predict = self.predict_z_0
        if self.windows is not None:
            predict = self.windows(predict)
        predict = self.with_guide(predict, data_samples, encode)
        guidance = self.guidance.on(self.diffusion_scheduler.prediction)
        guided = guidance(predict, cond, null)

        def denoise(z_t: Tensor, level: NoiseLevel) -> Tensor:
            check_spatial(cond, z_t, data_samples)
            return guided(z_t, level)

        return denoise

    def predict_z_0(
        self,
        z_t: Tensor,
        level: NoiseLevel,
        cond: Condition,
        guide: bool = False,
    ) -> Tensor:
        """The estimate of z_0 at one level for the batch, (B, C, h, w).

        Args:
            z_t: Noisy latents, (B, C, h, w).
            level: Their level, of shape ().
            cond: What the denoiser is told.
            guide: Let the weaker model's denoiser estimate.
        """
        denoiser = self.guide.denoiser if guide else self.denoiser
        out = self._output(denoiser, z_t, level, cond)
        return self.diffusion_scheduler.prediction.to_z_0(out, z_t, level)

    def _output(
        self,
        denoiser: nn.Module,
        z_t: Tensor,
        level: NoiseLevel,
        cond: Condition,
    ) -> Tensor:
        """A network's output for one level or one a sample, float32."""
        z_t, t = self.diffusion_scheduler.network_input(z_t, level)
        z_t = z_t.to(next(denoiser.parameters()).dtype)
        # float32: solvers subtract nearly equal numbers.
        return denoiser(z_t, t, cond).float()

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
        factor = self.autoencoder.factor
        device = next(self.denoiser.parameters()).device
        return torch.empty(
            len(data_samples),
            self.autoencoder.latent_channels,
            *(
                -(-side // factor)
                for side in drawn_size(data_samples, self.image_size)
            ),
            device=device,
        )

    def _check_parts(self) -> None:
        """Raise where two parts do not fit, with the remedy."""
        check_denoiser(
            'denoiser', self.denoiser, self.conditioner, self.autoencoder
        )
        guide = self.guide
        if guide is not None:
            check_denoiser(
                'guide', guide.denoiser, guide.conditioner, self.autoencoder
            )
        self.check_guidance()

    def check_guidance(self) -> None:
        """Raise unless the model has what its guidance needs.

        Raises:
            ValueError: If a slot, a guide or a null condition is missing.
        """
        self.guidance.check(self.conditioner.slots, self.guide is not None)
        without_null = self.conditioner.without_null
        if self.guidance.needs_null and without_null:
            raise ValueError(
                f'guidance is {type(self.guidance).__name__}, which leads '
                'away from a null condition, but '
                f'{" and ".join(without_null)} of the conditioner has none: '
                "set guidance=dict(_delete_=True, type='NoGuidance')"
            )

    def _warn_of_untrained_null(self) -> None:
        """Once, in training: a model that only samples may know it."""
        left_out = self.guidance.left_out(self.conditioner.slots)
        untrained = self.conditioner.never_dropped(left_out)
        if not untrained or self._warned:
            return
        self._warned = True
        warnings.warn(
            f'{type(self.guidance).__name__} needs a null condition of '
            f'{" and ".join(untrained)}, which is not trained with '
            f'conditioner.drop_prob={self.conditioner.drop_prob}: train with '
            '0.1 in the place of 0',
            stacklevel=3,
        )
