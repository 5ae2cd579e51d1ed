from .classifier_accuracy import ClassifierAccuracy
from .label_accuracy import LabelAccuracy
from .latent_statistics import LatentStatistics
from .reconstruction import ReconstructionMetrics
from .reconstruction_fid import ReconstructionFID

__all__ = [
    'ClassifierAccuracy',
    'LabelAccuracy',
    'LatentStatistics',
    'ReconstructionFID',
    'ReconstructionMetrics',
]
