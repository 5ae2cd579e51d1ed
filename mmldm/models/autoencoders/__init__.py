from .autoencoder import Autoencoder, Coding
from .autoencoder_kl import (
    AutoencoderKL,
    DiagonalGaussian,
    GreyAutoencoderKL,
)
from .autoencoder_vq import AutoencoderVQ
from .conv_autoencoder import ConvAutoencoder
from .diffusers_autoencoder import DiffusersAutoencoder
from .identity_autoencoder import IdentityAutoencoder

__all__ = [
    'Autoencoder',
    'AutoencoderKL',
    'AutoencoderVQ',
    'Coding',
    'ConvAutoencoder',
    'DiagonalGaussian',
    'GreyAutoencoderKL',
    'DiffusersAutoencoder',
    'IdentityAutoencoder',
]
