from .compvis import (
    Converted,
    convert_compvis,
    first_stage_part,
    model_config,
    read_compvis_checkpoint,
    recognised,
    with_first_stage,
)
from .diffusers import (
    FromDiffusers,
    is_diffusers,
    read_diffusers,
    whole_config,
    whole_model,
    write_diffusers,
)

__all__ = [
    'Converted',
    'FromDiffusers',
    'convert_compvis',
    'first_stage_part',
    'is_diffusers',
    'model_config',
    'read_compvis_checkpoint',
    'read_diffusers',
    'whole_config',
    'recognised',
    'whole_model',
    'with_first_stage',
    'write_diffusers',
]
