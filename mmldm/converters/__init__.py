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
from .compvis_process import diffusion_scheduler_config
from .diffusers_denoiser import (
    denoiser_from_diffusers,
    denoiser_to_diffusers,
    denoiser_to_diffusers_config,
)
from .lightning_checkpoint import read_compvis_checkpoint

__all__ = [
    'denoiser_config',
    'denoiser_from_diffusers',
    'denoiser_to_compvis',
    'denoiser_to_diffusers',
    'denoiser_to_diffusers_config',
    'denoiser_weights',
    'diffusion_scheduler_config',
    'first_stage_config',
    'first_stage_weights',
    'left_out',
    'read_compvis_checkpoint',
    'to_compvis',
]
