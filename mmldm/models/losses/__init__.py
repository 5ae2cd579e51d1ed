from .adversarial import (
    AdversarialLoss,
    GlobalBatchNorm2d,
    PatchDiscriminator,
)
from .decoded_loss import DecodedLoss
from .equivariance import Equivariance
from .extra_loss import ExtraLoss, TrainingStep
from .feature_discriminator import FeatureDiscriminator
from .laplacian_pyramid import LaplacianPyramidLoss
from .log_variance import LearnedLogVariance
from .lpips import LPIPS
from .pretrained_features import PretrainedFeatures

__all__ = [
    'AdversarialLoss',
    'DecodedLoss',
    'Equivariance',
    'ExtraLoss',
    'FeatureDiscriminator',
    'GlobalBatchNorm2d',
    'LPIPS',
    'LaplacianPyramidLoss',
    'LearnedLogVariance',
    'PatchDiscriminator',
    'PretrainedFeatures',
    'TrainingStep',
]
