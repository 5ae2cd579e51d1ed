"""Whether the parts of a model fit each other."""

from torch import nn

from ..autoencoders import Autoencoder
from ..conditioners import Conditioner


def check_denoiser(
    name: str,
    denoiser: nn.Module,
    conditioner: Conditioner,
    autoencoder: Autoencoder,
) -> None:
    """Raise unless a denoiser takes and gives what the others do.

    Args:
        name: Of the denoiser in the model's config.
        denoiser: The network.
        conditioner: Makes the conditions that it is told.
        autoencoder: Makes the latents.

    Raises:
        ValueError: If not, with the value that would.
    """
    latent = autoencoder.latent_channels
    spatial = conditioner.dim('spatial') or 0
    fits = {
        'in_channels': (
            latent + spatial,
            f'the autoencoder yields {latent} latent channels and the '
            f'conditioner concatenates {spatial}',
        ),
        'out_channels': (
            latent,
            f'the autoencoder yields {latent} latent channels',
        ),
    }
    for key, slot in (('context_dim', 'tokens'), ('vector_dim', 'vector')):
        dim = conditioner.dim(slot)
        fits[key] = (dim, f'the conditioner yields {slot} of dimension {dim}')
    for key, (needed, cause) in fits.items():
        value = getattr(denoiser, key)
        if value != needed:
            raise ValueError(
                f'{name}.{key}={value}, but {cause}: set {name}.{key}={needed}'
            )
