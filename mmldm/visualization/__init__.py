"""Pictures of what models make."""

from .grid import sample_grid
from .image_grid_hook import ImageGridHook

__all__ = ['ImageGridHook', 'sample_grid']
