"""Curves of a training, pictures of generated images and their conditions."""

from .conditions import render_sample
from .curves import CurveBackend
from .grid import (
    assemble,
    contact_sheet,
    most_tiles,
    sample_grid,
    sheet_of_rows,
)
from .image_files import other_images, write_image
from .image_grid_hook import ImageGridHook
from .progress_strip_hook import ProgressStripHook

__all__ = [
    'CurveBackend',
    'ImageGridHook',
    'ProgressStripHook',
    'assemble',
    'contact_sheet',
    'render_sample',
    'most_tiles',
    'other_images',
    'sample_grid',
    'sheet_of_rows',
    'write_image',
]
