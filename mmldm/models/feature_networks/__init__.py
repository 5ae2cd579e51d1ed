from .base import Extracted, FeatureNetwork, build_feature_network
from .dinov2 import DINOv2Features
from .efficientnet_lite import EfficientNetLiteFeatures
from .inception import InceptionFeatures

__all__ = [
    'DINOv2Features',
    'EfficientNetLiteFeatures',
    'Extracted',
    'FeatureNetwork',
    'InceptionFeatures',
    'build_feature_network',
]
