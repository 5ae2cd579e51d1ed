"""Data sets, their transforms and samplers."""

import mmcv.transforms  # noqa: F401  registers what mmcv has

from . import transforms  # noqa: F401
from .annotations import Annotations, LargeImages
from .aspect_buckets import AspectBuckets
from .base import AddressedDataset
from .cached_latents import CachedLatents
from .captions import CaptionFiles, Captions
from .coco import CocoBoxes, CocoCaptions
from .files_beside import (
    FeatureFiles,
    LabelMaps,
    MaskFiles,
    ReferenceFiles,
    TokenFiles,
)
from .folder_classes import FolderClasses
from .generation_requests import GenerationRequests
from .idx_images import IdxImages
from .image_folder import ImageFolder
from .image_shards import ImageShards
from .lsun import LSUN
from .open_images import OpenImagesBoxes
from .samplers import AddressedIndex, AddressedSampler

__all__ = [
    'AddressedDataset',
    'AddressedSampler',
    'Annotations',
    'AspectBuckets',
    'CachedLatents',
    'CaptionFiles',
    'Captions',
    'CocoBoxes',
    'CocoCaptions',
    'FeatureFiles',
    'FolderClasses',
    'IdxImages',
    'ImageFolder',
    'ImageShards',
    'LSUN',
    'LargeImages',
    'LabelMaps',
    'MaskFiles',
    'OpenImagesBoxes',
    'ReferenceFiles',
    'TokenFiles',
    'AddressedIndex',
    'GenerationRequests',
]
