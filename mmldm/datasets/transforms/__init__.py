from .colour import RandomChannelOrder
from .degradations import DegradeBicubic, DegradeBSRGAN
from .formatting import PackInputs
from .geometry import (
    Crop,
    CropPart,
    RandomDownscale,
    RandomFlip,
    ResizeShorterSide,
)
from .loading import (
    ChooseCaption,
    ChooseObjects,
    LoadFeatures,
    LoadImage,
    LoadLabelMap,
    LoadTokens,
)
from .masks import LoadMask, RandomMask
from .references import KeepReference, LoadReference

__all__ = [
    'ChooseCaption',
    'ChooseObjects',
    'Crop',
    'CropPart',
    'DegradeBSRGAN',
    'DegradeBicubic',
    'RandomMask',
    'KeepReference',
    'LoadFeatures',
    'LoadTokens',
    'LoadImage',
    'LoadLabelMap',
    'LoadMask',
    'LoadReference',
    'PackInputs',
    'RandomChannelOrder',
    'RandomFlip',
    'RandomDownscale',
    'ResizeShorterSide',
]
