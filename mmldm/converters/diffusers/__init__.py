from .export import whole_model, write_diffusers
from .folder import FromDiffusers, is_diffusers, read_diffusers

__all__ = [
    'FromDiffusers',
    'is_diffusers',
    'read_diffusers',
    'whole_model',
    'write_diffusers',
]
