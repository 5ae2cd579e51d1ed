from .unet import DenoisingUNet

__all__ = ['DenoisingUNet']
