from .formatting import PackInputs
from .geometry import Crop, ResizeShorterSide
from .loading import LoadImage

__all__ = ['Crop', 'LoadImage', 'PackInputs', 'ResizeShorterSide']
