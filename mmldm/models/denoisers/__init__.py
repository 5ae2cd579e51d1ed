from .denoiser import Denoiser
from .unet import DenoisingUNet

__all__ = ['Denoiser', 'DenoisingUNet']
