"""The training loss at times and noise that are the same at every call."""

import torch
from torch import Tensor

from mmldm.diffusion import add_noise
from mmldm.utils import SampleRandom
from mmldm.utils.typing import SampleList

from .latent_diffusion import LatentDiffusion
from .training_latents import training_latents


@torch.no_grad()
def fixed_errors(
    model: LatentDiffusion,
    inputs: Tensor | None,
    data_samples: SampleList,
    fraction: Tensor,
) -> Tensor:
    """Weighted denoising errors of a batch, as many as fractions, float32.

    These are the errors that training averages, without randomness: latents
    are the mode of the posterior, no condition is dropped, and noise depends
    only on the samples' random addresses.

    Args:
        model: A model in evaluation mode.
        inputs: Images in [-1, 1], (B, 3, H, W); None if the data samples
            have ``latent_moments``.
        data_samples: Conditions and random addresses.
        fraction: Position of each sample on the time axis, in [0, 1), (B,);
            or several for each sample, (..., B), for which latents and
            conditions are computed once.
    """
    scheduler = model.diffusion_scheduler
    schedule = scheduler.noise_schedule
    first_stage = model.autoencoder
    z_0 = training_latents(first_stage, inputs, data_samples, None)
    cond = model.conditioner(data_samples, encode=first_stage.encode)
    noise = scheduler.draw_noise(SampleRandom.of(data_samples), z_0)
    errors = []
    for times in fraction.reshape(-1, len(z_0)):
        level = schedule(schedule.timestep(times))
        z_t = add_noise(z_0, noise, level)
        out = model.output(model.denoiser, z_t, level, cond)
        errors.append(scheduler.errors(out, z_0, noise, level).float())
    return torch.stack(errors).view(fraction.shape)
