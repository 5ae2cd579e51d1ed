"""Pictures of what models make, and of what they are told."""

from .conditions import draw_sample
from .grid import assemble, contact_sheet, most_tiles, sample_grid
from .image_grid_hook import ImageGridHook, write_image

__all__ = [
    'ImageGridHook',
    'assemble',
    'contact_sheet',
    'draw_sample',
    'most_tiles',
    'sample_grid',
    'write_image',
]
