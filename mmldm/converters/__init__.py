from .compvis_first_stage import (
    first_stage_config,
    first_stage_weights,
    left_out,
    to_compvis,
)

__all__ = [
    'first_stage_config',
    'first_stage_weights',
    'left_out',
    'to_compvis',
]
