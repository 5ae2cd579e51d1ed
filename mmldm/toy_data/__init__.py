"""Small data sets that need no download, and metrics that check them."""

from .digits import DigitsDataset
from .photographs import Photographs
from .scene_metrics import SceneCaption, SceneClass, SceneLayout, SceneMap
from .shape_scenes import ShapeScenes

__all__ = [
    'DigitsDataset',
    'Photographs',
    'SceneCaption',
    'SceneClass',
    'SceneLayout',
    'SceneMap',
    'ShapeScenes',
]
