"""The editor of every latent diffusion task; a task is a config."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmldm.diffusion import NoiseLevel, add_noise
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition
from mmldm.utils import SampleRandom
from mmldm.utils.image_size import Size, height_and_width
from mmldm.utils.typing import ConfigType, SampleList

from ..conditioners.conditioner import Terms
from ..losses import TrainingStep
from .adapted import Adapted
from .derived import FILLED_IN, build_networks
from .editor import Editor
from .frozen_first_stage import FrozenFirstStage
from .generation import Generation
from .guide import Guided
from .image_editing import ImageEditing
from .loss_terms import (
    ExtraLosses,
    build_log_variance,
    denoising_terms,
    named_terms,
    trivial_error,
)
from .other_sampling import OtherSampling
from .part_checks import check_parts, check_spatial, warn_of_untrained_null
from .training_latents import training_latents


@MODELS.register_module()
class LatentDiffusion(
    Generation,
    OtherSampling,
    ImageEditing,
    Guided,
    FrozenFirstStage,
    Adapted,
    Editor,
):
    """Latent diffusion model; Rombach et al. 2022 (arXiv:2112.10752).

    Args:
        denoiser: Config of the network that learns.
        conditioner: Config of the ``Conditioner``, which makes the denoiser's
            conditions from data samples.
        diffusion_scheduler: Config of the noise, loss and sampling.
        guidance: Config of how conditions act in sampling.
        autoencoder: Config of the first stage, which stays frozen. Tools and
            ``mmldm.apis`` read missing arguments from its checkpoint.
        log_variance: Config of learned weights for the time steps, or None.
        extra_losses: Configs of :class:`ExtraLoss` es, terms of the training
            loss besides the denoising error.
        autoencoder_checkpoint: File with the first stage's weights. If it is
            given, checkpoints of this model hold only the weights' hash.
        other_first_stage: Load weights that were trained on another first
            stage than this one, to train them further on it.
        guide: Config of the denoiser of a weaker model, for
            :class:`AutoGuidance`.
        guide_checkpoint: File or work directory of that model, a
            ``LatentDiffusion``. It is not part of this model's checkpoints.
        image_size: Size of the training images, and of generated ones without
            ``img_shape``: side, or height and width, pixels.
        trained_sizes: Sizes of the training images, if they have several.
        windows: Config of :class:`Windows` for large images, or None.
        adapter: Config of a :class:`LoRA` that is trained alone, or None.
        data_preprocessor: See :class:`Editor`.

    Raises:
        ValueError: If the parts do not fit each other.
    """

    files = (*FrozenFirstStage.files, *Guided.files)
    training_parts = ('log_variance', 'extra_losses')
    averaged_parts = ('denoiser', 'conditioner')
    compiled_parts = ('denoiser', 'autoencoder')
    needs_average = True
    fills_in = FILLED_IN
    _warned = False  # of a null condition that is not trained

    def __init__(
        self,
        denoiser: ConfigType,
        conditioner: ConfigType,
        diffusion_scheduler: ConfigType,
        guidance: ConfigType,
        autoencoder: ConfigType | None = None,
        log_variance: ConfigType | None = None,
        extra_losses: Sequence[ConfigType] = (),
        autoencoder_checkpoint: str | None = None,
        other_first_stage: bool = False,
        guide: ConfigType | None = None,
        guide_checkpoint: str | None = None,
        image_size: Size | None = None,
        trained_sizes: Sequence[Size] = (),
        windows: ConfigType | None = None,
        adapter: ConfigType | None = None,
        data_preprocessor: ConfigType | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.init_first_stage(
            autoencoder, autoencoder_checkpoint, other_first_stage
        )
        scheduler = DIFFUSION_SCHEDULERS.build(diffusion_scheduler)
        self.diffusion_scheduler = scheduler
        self.denoiser, self.conditioner = build_networks(
            denoiser, conditioner, self.autoencoder, scheduler.num_outputs
        )
        self.guidance = DIFFUSION_SCHEDULERS.build(guidance)
        self.image_size = image_size
        self.trained_sizes = [*map(height_and_width, trained_sizes)]
        self.windows = windows and DIFFUSION_SCHEDULERS.build(windows)
        self.log_variance = build_log_variance(
            log_variance, scheduler.noise_schedule.num_timesteps
        )
        self.extra_losses = ExtraLosses(extra_losses, self.denoiser)
        self.init_guide(guide, conditioner, guide_checkpoint)
        check_parts(self)
        self.check_guidance()
        self.init_adapter(adapter)

    def loss(
        self,
        inputs: Tensor | None,
        data_samples: SampleList,
        iteration: int = 0,
    ) -> dict:
        """The terms of the training loss, each ().

        ``loss_denoise``, and ``loss_<term>`` for each term of embedders and
        extra losses. With learned log-variances, ``error`` is the denoising
        error before they weigh it.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W); None if the data samples
                have ``latent_moments``, from a cache.
            data_samples: Conditions and random addresses.
            iteration: Number of finished iterations, for extra losses.
        """
        # Only once, and in training: sampling alone needs no such warning.
        if not self._warned:
            self._warned = warn_of_untrained_null(
                self.guidance, self.conditioner
            )
        step, terms = self._training_step(inputs, data_samples, iteration)
        terms += self.extra_losses.terms(step)
        denoising = denoising_terms(step, self.log_variance)
        return denoising | named_terms(terms)

    def _training_step(
        self, inputs: Tensor | None, data_samples: SampleList, iteration: int
    ) -> tuple[TrainingStep, list[Terms]]:
        """The denoiser's output for noisy latents, and embedders' terms."""
        random = SampleRandom.of(data_samples)
        posterior = random.normal('posterior')
        z_0 = training_latents(
            self.autoencoder, inputs, data_samples, posterior
        )
        cond, terms = self.conditioner.with_losses(
            data_samples, random, self.autoencoder.encode
        )
        check_spatial(cond, z_0, data_samples)
        scheduler = self.diffusion_scheduler
        level = scheduler.sample_level(random)
        noise = scheduler.draw_noise(random, z_0)
        z_t = add_noise(z_0, noise, level)
        with self.extra_losses.watch(self.denoiser) as hidden:
            out = self.output(self.denoiser, z_t, level, cond)
        step = TrainingStep(
            decode=self.autoencoder.decode,
            scheduler=scheduler,
            inputs=inputs,
            data_samples=data_samples,
            random=random,
            z_0=z_0,
            noise=noise,
            level=level,
            z_t=z_t,
            cond=cond,
            out=out,
            hidden=hidden,
            iteration=iteration,
        )
        return step, terms

    def compile_parts(self, **options: Any) -> None:
        """See :class:`Editor`.

        Raises:
            ValueError: If extra losses read layers of compiled blocks.
        """
        self.extra_losses.check_compilable(self.denoiser)
        super().compile_parts(**options)

    def trivial_losses(self, inputs: Tensor) -> dict[str, float]:
        """The denoising error of zeros; see :class:`Editor`."""
        name = 'error' if self.log_variance else 'loss_denoise'
        latent = self.autoencoder.latent_channels
        return {name: trivial_error(self.diffusion_scheduler, latent)}

    def output(
        self,
        denoiser: nn.Module,
        z_t: Tensor,
        level: NoiseLevel,
        cond: Condition,
    ) -> Tensor:
        """A network's output, float32, for one level or one per sample."""
        z_t, t = self.diffusion_scheduler.network_input(z_t, level)
        z_t = z_t.to(next(denoiser.parameters()).dtype)
        # float32: solvers subtract nearly equal numbers.
        return denoiser(z_t, t, cond).float()
