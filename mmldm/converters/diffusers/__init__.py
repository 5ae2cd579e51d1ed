from .export import whole_config, whole_model, write_diffusers
from .folder import FromDiffusers, is_diffusers, read_diffusers

__all__ = [
    'FromDiffusers',
    'is_diffusers',
    'read_diffusers',
    'whole_config',
    'whole_model',
    'write_diffusers',
]
