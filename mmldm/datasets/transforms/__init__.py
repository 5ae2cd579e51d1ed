from .colour import RandomChannelOrder
from .formatting import PackInputs
from .geometry import Crop, RandomShrink, ResizeShorterSide
from .loading import LoadImage

__all__ = [
    'Crop',
    'LoadImage',
    'PackInputs',
    'RandomChannelOrder',
    'RandomShrink',
    'ResizeShorterSide',
]
