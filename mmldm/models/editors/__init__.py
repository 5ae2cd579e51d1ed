from .derived import complete_model
from .first_stage import FirstStage
from .latent_classification import LatentClassification
from .latent_diffusion import LatentDiffusion

__all__ = [
    'FirstStage',
    'LatentClassification',
    'LatentDiffusion',
    'complete_model',
]
