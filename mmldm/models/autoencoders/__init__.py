from .autoencoder import Autoencoder
from .autoencoder_kl import AutoencoderKL, DiagonalGaussian

__all__ = ['Autoencoder', 'AutoencoderKL', 'DiagonalGaussian']
