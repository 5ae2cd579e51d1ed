from .classifier_accuracy import ClassifierAccuracy
from .label_accuracy import LabelAccuracy
from .latent_statistics import LatentStatistics
from .reconstruction import ReconstructionMetrics
from .reconstruction_fid import ReconstructionFID
from .shape_scenes import SceneCaption, SceneClass, SceneLayout, SceneMap

__all__ = [
    'ClassifierAccuracy',
    'LabelAccuracy',
    'LatentStatistics',
    'ReconstructionFID',
    'ReconstructionMetrics',
    'SceneCaption',
    'SceneClass',
    'SceneLayout',
    'SceneMap',
]
