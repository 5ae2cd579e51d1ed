from .denoiser import Denoiser
from .diffusion_transformer import DiffusionTransformer
from .unet import DenoisingUNet

__all__ = ['Denoiser', 'DenoisingUNet', 'DiffusionTransformer']
