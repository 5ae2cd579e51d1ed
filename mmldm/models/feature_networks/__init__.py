from .base import Extracted, FeatureNetwork, build_feature_network
from .clip import CLIPFeatures
from .dinov2 import DINOv2Features
from .efficientnet_lite import EfficientNetLiteFeatures
from .inception import InceptionFeatures
from .stages import ClassifierStages, EfficientNetLiteStages, StageNetwork

__all__ = [
    'CLIPFeatures',
    'ClassifierStages',
    'DINOv2Features',
    'EfficientNetLiteFeatures',
    'EfficientNetLiteStages',
    'Extracted',
    'FeatureNetwork',
    'InceptionFeatures',
    'StageNetwork',
    'build_feature_network',
]
