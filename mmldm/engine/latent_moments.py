"""Moments of the training data's raw latents, and the scale from them."""

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_gather_object, get_dist_info
from torch import Tensor

from mmldm.models.autoencoders import Autoencoder
from mmldm.models.editors.training_latents import cached_latents
from mmldm.utils import SampleRandom
from mmldm.utils.moments import pooled_moments, sample_moments
from mmldm.utils.size_parts import in_order, one_size_parts


def latent_moments(runner, num_images: int, batch_size: int) -> Tensor:
    """Moments of the raw latents of images spread over the training data.

    The images are augmented as in training, and the latents are samples of
    the posterior, both seeded by address, as a diffusion model sees them. The
    processes share whole batches, so that the result does not depend on their
    number: the last bit of a latent depends on the size of its batch.

    Args:
        runner: A runner whose model has an ``autoencoder``.
        num_images: Number of images, or all if there are fewer.
        batch_size: Images to encode at a time.

    Returns:
        Shape (N, C, 3), see ``sample_moments``.
    """
    indices = runner.train_dataloader.sampler.spread(num_images)
    batches = [
        indices[i : i + batch_size] for i in range(0, len(indices), batch_size)
    ]
    rank, world_size = get_dist_info()
    own = [_moments(runner, batch) for batch in batches[rank::world_size]]
    shares = all_gather_object(own)
    return torch.cat(
        [shares[i % world_size][i // world_size] for i in range(len(batches))]
    )


def set_scale(
    autoencoder: Autoencoder, moments: Tensor, per_channel: bool
) -> None:
    """Give latents a standard deviation of 1.

    Args:
        autoencoder: Its ``latent_scale`` and ``latent_shift`` are set.
        moments: Moments of its raw latents, (N, C, 3).
        per_channel: Use a scale for every channel, and a shift that makes
            its mean 0; False uses one scale for all channels and no shift,
            as in Rombach et al. 2022, app. G.

    Raises:
        ValueError: If latents do not vary or are not finite.
    """
    parts = moments if per_channel else moments.flatten(0, 1)[:, None]
    mean, std = pooled_moments(parts)
    for channel, value in enumerate(std.tolist()):
        if not value > 0:  # nan too
            where = f'channel {channel}' if per_channel else 'all channels'
            raise ValueError(
                f'raw latents have a standard deviation of {value} in {where},'
                ' expected one above 0: measure one scale for all channels, '
                'or train the first stage longer'
            )
    autoencoder.latent_scale.copy_(1 / std[:, None, None])
    shift = mean if per_channel else torch.zeros_like(mean)
    autoencoder.latent_shift.copy_(shift[:, None, None])


@torch.no_grad()
def _moments(runner, indices: list) -> Tensor:
    dataset = runner.train_dataloader.dataset
    batch = pseudo_collate([dataset[index] for index in indices])
    parts = [
        (places, _moments_of(runner.bare_model, part))
        for places, part in one_size_parts(batch)
    ]
    return torch.stack(in_order(parts))


def _moments_of(model, batch: dict) -> Tensor:
    """Moments of a batch whose images have one size."""
    batch = model.data_preprocessor(batch)
    posterior = SampleRandom.of(batch['data_samples']).normal('posterior')
    autoencoder, images = model.autoencoder, batch['inputs']
    if images is None:
        z = cached_latents(autoencoder, batch['data_samples'], posterior)
    else:
        z = autoencoder.encode_raw(autoencoder.pad(images), posterior)
    return sample_moments(z)
