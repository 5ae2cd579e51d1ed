from .classifier_accuracy import ClassifierAccuracy
from .frechet_distance import FrechetDistance
from .generated_images import GeneratedImages
from .inpainting import InpaintingMetrics
from .label_accuracy import LabelAccuracy
from .latent_statistics import LatentStatistics
from .reconstruction import ReconstructionMetrics
from .reconstruction_fid import ReconstructionFID
from .super_resolution import SuperResolutionMetrics

__all__ = [
    'ClassifierAccuracy',
    'FrechetDistance',
    'GeneratedImages',
    'InpaintingMetrics',
    'LabelAccuracy',
    'LatentStatistics',
    'ReconstructionFID',
    'ReconstructionMetrics',
    'SuperResolutionMetrics',
]
