from .compvis_average import AVERAGE_CHOICES
from .compvis_checkpoint import Converted, convert_compvis
from .compvis_denoiser import (
    denoiser_config,
    denoiser_to_compvis,
    denoiser_weights,
)
from .compvis_first_stage import (
    first_stage_config,
    first_stage_to_compvis,
    first_stage_weights,
)
from .compvis_model import model_config
from .compvis_process import diffusion_scheduler_config
from .compvis_text import (
    text_encoder_config,
    text_encoder_to_compvis,
    text_encoder_weights,
)
from .compvis_transformer import transformer_to_compvis, transformer_weights
from .diffusers_denoiser import denoiser_from_diffusers, denoiser_to_diffusers
from .diffusers_denoiser_config import (
    denoiser_from_diffusers_config,
    denoiser_to_diffusers_config,
)
from .diffusers_export import whole_model, write_diffusers
from .diffusers_first_stage import (
    first_stage_from_diffusers,
    first_stage_from_diffusers_config,
    first_stage_to_diffusers,
    first_stage_to_diffusers_config,
    latent_scale,
)
from .diffusers_folder import FromDiffusers, is_diffusers, read_diffusers
from .diffusers_process import (
    scheduler_from_diffusers,
    scheduler_to_diffusers,
)
from .diffusers_text import (
    text_encoder_from_diffusers,
    text_encoder_from_diffusers_config,
    text_encoder_to_diffusers,
    text_encoder_to_diffusers_config,
    transformer_from_diffusers,
    transformer_from_diffusers_config,
    transformer_to_diffusers,
    transformer_to_diffusers_config,
)
from .lightning_checkpoint import read_compvis_checkpoint

__all__ = [
    'AVERAGE_CHOICES',
    'Converted',
    'FromDiffusers',
    'convert_compvis',
    'denoiser_config',
    'denoiser_from_diffusers',
    'denoiser_from_diffusers_config',
    'denoiser_to_compvis',
    'denoiser_to_diffusers',
    'denoiser_to_diffusers_config',
    'denoiser_weights',
    'diffusion_scheduler_config',
    'first_stage_config',
    'first_stage_from_diffusers',
    'first_stage_from_diffusers_config',
    'first_stage_to_compvis',
    'first_stage_to_diffusers',
    'first_stage_to_diffusers_config',
    'first_stage_weights',
    'is_diffusers',
    'latent_scale',
    'model_config',
    'read_compvis_checkpoint',
    'read_diffusers',
    'scheduler_from_diffusers',
    'scheduler_to_diffusers',
    'text_encoder_config',
    'text_encoder_from_diffusers',
    'text_encoder_from_diffusers_config',
    'text_encoder_to_compvis',
    'text_encoder_to_diffusers',
    'text_encoder_to_diffusers_config',
    'text_encoder_weights',
    'transformer_from_diffusers',
    'transformer_from_diffusers_config',
    'transformer_to_compvis',
    'transformer_to_diffusers',
    'transformer_to_diffusers_config',
    'transformer_weights',
    'whole_model',
    'write_diffusers',
]
