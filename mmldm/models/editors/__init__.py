from .derived import complete_model
from .first_stage import FirstStage
from .fixed_errors import fixed_errors
from .latent_classification import LatentClassification
from .latent_diffusion import LatentDiffusion

__all__ = [
    'FirstStage',
    'LatentClassification',
    'LatentDiffusion',
    'complete_model',
    'fixed_errors',
]
