from .colour import RandomChannelOrder
from .degradations import DegradeBicubic, DegradeBSRGAN
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
    'DegradeBSRGAN',
    'DegradeBicubic',
    'DrawMask',
    'LoadImage',
    'LoadMask',
    'PackInputs',
    'RandomChannelOrder',
    'RandomFlip',
    'RandomShrink',
    'ResizeShorterSide',
]
