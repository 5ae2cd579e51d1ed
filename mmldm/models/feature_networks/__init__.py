from .base import Extracted, FeatureNetwork, build_feature_network
from .clip import CLIPFeatures
from .dinov2 import DINOv2Features
from .efficientnet_lite import EfficientNetLiteFeatures
from .inception import InceptionFeatures

__all__ = [
    'CLIPFeatures',
    'DINOv2Features',
    'EfficientNetLiteFeatures',
    'Extracted',
    'FeatureNetwork',
    'InceptionFeatures',
    'build_feature_network',
]
