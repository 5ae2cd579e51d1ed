from .classifier_accuracy import ClassifierAccuracy
from .reconstruction import ReconstructionPSNR

__all__ = ['ClassifierAccuracy', 'ReconstructionPSNR']
