from .classifier_accuracy import ClassifierAccuracy
from .latent_statistics import LatentStatistics
from .reconstruction import ReconstructionMetrics
from .reconstruction_fid import ReconstructionFID

__all__ = [
    'ClassifierAccuracy',
    'LatentStatistics',
    'ReconstructionFID',
    'ReconstructionMetrics',
]
