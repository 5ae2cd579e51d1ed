from .compvis_denoiser import (
    denoiser_config,
    denoiser_to_compvis,
    denoiser_weights,
)
from .compvis_first_stage import (
    first_stage_config,
    first_stage_weights,
    left_out,
    to_compvis,
)

__all__ = [
    'denoiser_config',
    'denoiser_to_compvis',
    'denoiser_weights',
    'first_stage_config',
    'first_stage_weights',
    'left_out',
    'to_compvis',
]
