from .colour import RandomChannelOrder
from .formatting import PackInputs
from .geometry import (
    Crop,
    CropPart,
    RandomFlip,
    RandomShrink,
    ResizeShorterSide,
)
from .loading import LoadImage

__all__ = [
    'Crop',
    'CropPart',
    'LoadImage',
    'PackInputs',
    'RandomChannelOrder',
    'RandomFlip',
    'RandomShrink',
    'ResizeShorterSide',
]
