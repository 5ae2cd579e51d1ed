"""Data sets, their transforms and samplers."""

import mmcv.transforms  # noqa: F401  registers RandomFlip and others

from . import transforms  # noqa: F401
from .base import AddressedDataset
from .digits import DigitsDataset
from .image_folder import ImageFolder
from .photographs import Photographs
from .sample_requests import SampleRequests
from .samplers import AddressedSampler, SampleDraw
from .shape_scenes import ShapeScenes

__all__ = [
    'AddressedDataset',
    'AddressedSampler',
    'DigitsDataset',
    'ImageFolder',
    'Photographs',
    'SampleDraw',
    'SampleRequests',
    'ShapeScenes',
]
