from .denoiser import (
    denoiser_from_diffusers,
    denoiser_to_diffusers,
)
from .denoiser_config import (
    denoiser_from_diffusers_config,
    denoiser_to_diffusers_config,
)
from .export import (
    whole_model,
    write_diffusers,
)
from .first_stage import (
    first_stage_from_diffusers,
    first_stage_from_diffusers_config,
    first_stage_to_diffusers,
    first_stage_to_diffusers_config,
)
from .folder import (
    FromDiffusers,
    is_diffusers,
    read_diffusers,
)
from .latent_scale import fold_latent_scale, latent_scale
from .process import (
    scheduler_from_diffusers,
    scheduler_to_diffusers,
)
from .text import (
    text_encoder_from_diffusers,
    text_encoder_from_diffusers_config,
    text_encoder_to_diffusers,
    text_encoder_to_diffusers_config,
    transformer_from_diffusers,
    transformer_from_diffusers_config,
    transformer_to_diffusers,
    transformer_to_diffusers_config,
)

__all__ = [
    'FromDiffusers',
    'denoiser_from_diffusers',
    'denoiser_from_diffusers_config',
    'denoiser_to_diffusers',
    'denoiser_to_diffusers_config',
    'first_stage_from_diffusers',
    'first_stage_from_diffusers_config',
    'first_stage_to_diffusers',
    'first_stage_to_diffusers_config',
    'fold_latent_scale',
    'is_diffusers',
    'latent_scale',
    'read_diffusers',
    'scheduler_from_diffusers',
    'scheduler_to_diffusers',
    'text_encoder_from_diffusers',
    'text_encoder_from_diffusers_config',
    'text_encoder_to_diffusers',
    'text_encoder_to_diffusers_config',
    'transformer_from_diffusers',
    'transformer_from_diffusers_config',
    'transformer_to_diffusers',
    'transformer_to_diffusers_config',
    'whole_model',
    'write_diffusers',
]
