"""Pictures of what models make."""

from .grid import assemble, sample_grid
from .image_grid_hook import ImageGridHook, write_image

__all__ = ['ImageGridHook', 'assemble', 'sample_grid', 'write_image']
