"""Images from noise, by a latent diffusion model."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mmldm.diffusion import NoiseLevel
from mmldm.diffusion.solvers import Denoise
from mmldm.structures import Condition
from mmldm.utils import SampleRandom
from mmldm.utils.typing import SampleList

from ..data_preprocessors.ldm_data_preprocessor import to_images
from .part_checks import check_spatial, generated_size


class Generation:
    """Mix-in of ``LatentDiffusion``: all that sampling does."""

    @torch.no_grad()
    def predict(
        self,
        inputs: Tensor | None,
        data_samples: SampleList,
        wrap: Callable[[Denoise], Denoise] | None = None,
    ) -> SampleList:
        """The data samples with ``pred_img``, a generated image.

        The images are adapted to the given conditions, see
        :meth:`Embedder.restore`: in inpainting, known pixels are copied from
        the given image.

        Args:
            inputs: Not used; the data samples say what to generate.
            data_samples: Conditions, random addresses, and ``img_shape``
                (H, W) of the wanted images unless ``image_size`` is set.
            wrap: See :meth:`sample`.
        """
        z = self.sample(data_samples, wrap=wrap)
        x = self.autoencoder.decode(
            z, generated_size(data_samples, self.image_size)
        )
        images = self.finished(x, data_samples)
        for sample, image in zip(data_samples, images, strict=True):
            sample.pred_img = image
        return data_samples

    def finished(self, x: Tensor, data_samples: SampleList) -> Tensor:
        """Final images, uint8 RGB, from decoded latents.

        They are adapted to known pixels or small images of the conditions,
        unless sampling was unconditional.

        Args:
            x: Decoded latents, about [-1, 1], (B, 3, H, W).
            data_samples: Data samples with the conditions.
        """
        images = to_images(x)
        if self.unconditional:
            return images
        return self.conditioner.restore(images, data_samples)

    @torch.no_grad()
    def sample(
        self,
        data_samples: SampleList,
        start: Tensor | None = None,
        levels: Sequence[NoiseLevel] | None = None,
        wrap: Callable[[Denoise], Denoise] | None = None,
    ) -> Tensor:
        """Latents generated for the data samples, (B, C, h, w).

        Args:
            data_samples: Conditions and random addresses. Without ``start``
                and ``image_size`` they also need the ``img_shape`` (H, W) of
                the images.
            start: Latents at ``levels[0]``, (B, C, h, w); None for noise.
            levels: Noise levels that the solver visits; None for those of
                the time grid.
            wrap: Changes the denoising function that the solver calls; for
                example :class:`GradientGuidance`.
        """
        scheduler = self.diffusion_scheduler
        random = SampleRandom.of(data_samples)
        levels = levels or scheduler.levels()
        if start is None:
            empty = self.empty_latents(data_samples)
            noise = random.normal('start')(empty)
            start = scheduler.start(noise, levels[0])
        denoise = self.denoise_for(data_samples)
        denoise = denoise if wrap is None else wrap(denoise)
        noise = random.normal_stream('solver')
        return scheduler.solver(denoise, start, levels, noise)

    def denoise_for(self, data_samples: SampleList) -> Denoise:
        """The function (z_t, level) -> guided estimate of z_0.

        Raises:
            ValueError: If a sample has a negative which guidance ignores. A
                call raises if a spatial condition is not as large as z_t.
        """
        cond, null = self.conditions(data_samples)
        predict = self.predict_z_0
        if self.windows is not None:
            predict = self.windows(predict)
        encode = self.autoencoder.encode
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
        """The estimate of z_0 for a batch at one noise level, (B, C, h, w).

        Args:
            z_t: Noisy latents, (B, C, h, w).
            level: Noise level of ``z_t``, shape ().
            cond: Condition of the batch.
            guide: Whether to estimate by the weaker model's denoiser.
        """
        denoiser = self.guide.denoiser if guide else self.denoiser
        out = self.output(denoiser, z_t, level, cond)
        return self.diffusion_scheduler.to_z_0(out, z_t, level)
