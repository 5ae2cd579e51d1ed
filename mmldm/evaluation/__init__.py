from .classifier_accuracy import ClassifierAccuracy
from .clip_score import CLIPScore
from .diversity import LPIPSDiversity
from .frechet_distance import FrechetDistance
from .generated_images import GeneratedImages
from .holes import HoleMetrics
from .inpainting import InpaintingMetrics
from .label_accuracy import LabelAccuracy
from .latent_statistics import LatentStatistics
from .nearest_image import NearestImage
from .reconstruction import ReconstructionMetrics
from .reconstruction_fid import ReconstructionFID
from .sharpness import FeatureDistance, Sharpness
from .super_resolution import SuperResolutionMetrics

__all__ = [
    'CLIPScore',
    'ClassifierAccuracy',
    'FeatureDistance',
    'FrechetDistance',
    'GeneratedImages',
    'HoleMetrics',
    'InpaintingMetrics',
    'LPIPSDiversity',
    'LabelAccuracy',
    'LatentStatistics',
    'NearestImage',
    'ReconstructionFID',
    'ReconstructionMetrics',
    'Sharpness',
    'SuperResolutionMetrics',
]
