"""Pictures of what models make, and of what they are told."""

from .conditions import draw_sample
from .grid import assemble, sample_grid
from .image_grid_hook import ImageGridHook, write_image

__all__ = [
    'ImageGridHook',
    'assemble',
    'draw_sample',
    'sample_grid',
    'write_image',
]
