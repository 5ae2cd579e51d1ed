from .export import write_diffusers
from .folder import FromDiffusers, is_diffusers, read_diffusers
from .whole import whole_config, whole_model

__all__ = [
    'FromDiffusers',
    'is_diffusers',
    'read_diffusers',
    'whole_config',
    'whole_model',
    'write_diffusers',
]
