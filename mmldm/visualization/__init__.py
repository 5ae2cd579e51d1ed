"""Pictures of generated images and of their conditions."""

from .conditions import render_sample
from .grid import (
    assemble,
    contact_sheet,
    most_tiles,
    sample_grid,
    sheet_of_rows,
)
from .image_files import other_images, write_image
from .image_grid_hook import ImageGridHook

__all__ = [
    'ImageGridHook',
    'assemble',
    'contact_sheet',
    'render_sample',
    'most_tiles',
    'other_images',
    'sample_grid',
    'sheet_of_rows',
    'write_image',
]
