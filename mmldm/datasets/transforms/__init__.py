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
from .masks import DrawMask, LoadMask

__all__ = [
    'Crop',
    'CropPart',
    'DrawMask',
    'LoadImage',
    'LoadMask',
    'PackInputs',
    'RandomChannelOrder',
    'RandomFlip',
    'RandomShrink',
    'ResizeShorterSide',
]
