from .checkpoint import (
    Converted,
    convert_compvis,
    with_first_stage,
)
from .denoiser import (
    denoiser_config,
    denoiser_to_compvis,
    denoiser_weights,
)
from .first_stage import (
    first_stage_config,
    first_stage_to_compvis,
    first_stage_weights,
)
from .lightning_checkpoint import (
    read_compvis_checkpoint,
)
from .model import (
    model_config,
)
from .process import (
    diffusion_scheduler_config,
)
from .text import (
    text_encoder_config,
    text_encoder_to_compvis,
    text_encoder_weights,
)
from .transformer import (
    transformer_to_compvis,
    transformer_weights,
)

__all__ = [
    'Converted',
    'convert_compvis',
    'denoiser_config',
    'denoiser_to_compvis',
    'denoiser_weights',
    'diffusion_scheduler_config',
    'first_stage_config',
    'first_stage_to_compvis',
    'first_stage_weights',
    'model_config',
    'read_compvis_checkpoint',
    'text_encoder_config',
    'text_encoder_to_compvis',
    'text_encoder_weights',
    'transformer_to_compvis',
    'transformer_weights',
    'with_first_stage',
]
