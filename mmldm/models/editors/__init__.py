from .first_stage import FirstStage
from .latent_diffusion import LatentDiffusion

__all__ = ['FirstStage', 'LatentDiffusion']
